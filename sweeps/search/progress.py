"""What a person sees of a search while it runs: trials, the best so far, speed, time left."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from pgbench.runs.forecast import duration
from sweeps.plan import Unit
from sweeps.progress import Progress
from sweeps.search.confirmation import ranked
from sweeps.search.study import STATES, Study


class SearchProgress(Progress):
    """Follows runs that are not known before they begin."""

    def __init__(self, studies: Sequence[Study], console: Console):
        super().__init__([], console)
        self.studies = studies
        self.total = sum(map(budget, studies))

    def started(self, unit: Unit) -> None:
        self.jobs[unit.config.job_dir] = unit.config
        for seed in unit.seeds:
            run = (unit.config.job_dir, seed)
            if run not in self.runs:  # what an earlier process has done of it is no speed of this one
                self._look(run, "queued")
                self._shift(self.runs[run].steps)
        super().started(unit)

    def line(self) -> str:
        """Trials of each study and the best of them, environment steps a second, time left."""
        (then, before), (now, steps) = self.trail[0], self.trail[-1]
        rate = max(0.0, (steps - before) / (now - then)) if now > then else 0.0
        to_go = sum(map(left, self.studies)) - sum(s.steps for s in self.runs.values() if s.state == "running")
        speed = [f"{rate:,.0f} env-steps/s", f"at most {duration(max(0, to_go) / rate)} left"] if rate else []
        return " · ".join([*map(standing, self.studies), *speed])

    def table(self) -> Table:
        """A row a study."""
        table = Table("study", "done", "pruned", "failed", "best", "trial", box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for study in self.studies:
            count, best = counts(study), ranked(study)
            cells = [str(count[state]) for state in ("done", "pruned", "failed")]
            value = [f"{best[0].value:.6g}", str(best[0].number)] if best else ["-", "-"]
            table.add_row(study.subject.name, *cells, *value)
        return table

    def _shift(self, steps: int) -> None:
        self.trail = type(self.trail)((at, before + steps) for at, before in self.trail)


def counts(study: Study) -> Counter[str]:
    """Trials by state: done, running, pruned, failed."""
    return Counter(STATES.get(trial.state.name, "waiting") for trial in study.trials)


def standing(study: Study) -> str:
    """Where a study stands, in words."""
    count, best = counts(study), ranked(study)
    ended = count["done"] + count["pruned"] + count["failed"]
    parts = [f"{count[state]} {state}" for state in ("running", "pruned", "failed") if count[state]]
    parts += [f"best {best[0].value:.6g} (trial {best[0].number})"] if best else []
    return f"{study.subject.name}: {ended} of {study.size} trials" + (f" ({', '.join(parts)})" if parts else "")


def budget(study: Study) -> int:
    """Environment steps of a whole study, if no trial is stopped early."""
    return study.size * study.trial_steps + study.confirm_steps


def left(study: Study) -> int:
    """Environment steps of what has not ended, at most."""
    count = counts(study)
    ended = count["done"] + count["pruned"] + count["failed"]
    return (study.size - ended) * study.trial_steps + study.confirm_steps
