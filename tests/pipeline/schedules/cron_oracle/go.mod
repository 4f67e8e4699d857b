// The cron library that Kubeflow Pipelines 2.17 is built with.
module litesmith.test/cron_oracle

go 1.18

require github.com/robfig/cron v1.2.0
