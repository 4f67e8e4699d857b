// Command cron_oracle says when cron expressions fire by the library that KFP is built with.
// It reads one question a line, as JSON, and answers each with a line.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/robfig/cron"
)

type question struct {
	Cron       string  `json:"cron"`
	HoursAhead float64 `json:"hours_ahead"`
	First      int64   `json:"first"`
	Last       int64   `json:"last"`
}

type answer struct {
	Moments []int64 `json:"moments"`
	// GaveUp: the library found no next moment, which it says by the year 1.
	GaveUp bool `json:"gave_up"`
}

func main() {
	lines, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(ask(asked)); err != nil {
			log.Fatal(err)
		}
	}
}

func ask(asked question) answer {
	schedule, err := cron.Parse(asked.Cron)
	if err != nil {
		log.Fatalf("%s: %v", asked.Cron, err)
	}
	zone := time.FixedZone("local", int(asked.HoursAhead*3600))
	fired := answer{Moments: []int64{}}
	// Next is what lies behind a moment; the first one counts, too.
	moment := schedule.Next(time.Unix(asked.First-1, 0).In(zone))
	for ; !moment.IsZero() && moment.Unix() <= asked.Last; moment = schedule.Next(moment) {
		fired.Moments = append(fired.Moments, moment.Unix())
	}
	fired.GaveUp = moment.IsZero()
	return fired
}
