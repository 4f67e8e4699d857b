"""What a run needs, looked at and tried before it.

Each check ends as a `Finding`; a failure names its remedy. `checks` has those that look at
libraries, places and clusters; what takes litesmith's own components, on the user's pictures
(`survey`) or on random weights (`trial`), is rehearsed in a process of its own, which
`rehearsals` starts and reads.
"""

from pipeline.doctor.checks import examine, examine_places
from pipeline.doctor.rehearsals import Finding

__all__ = ["Finding", "examine", "examine_places"]
