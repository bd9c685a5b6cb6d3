"""Bulk profile imports: queued, then processing, then complete, with an error per profile that failed.

Sources: "Bulk Import Profiles API guide", schema ProfileImportJobResponseObjectResource.
"""

import random
import uuid
from datetime import datetime, timedelta

from local.fake_klaviyo.accounts import Account, ImportFailure, ImportJob, World
from local.fake_klaviyo.clock import Clock
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.faults import Faults
from local.fake_klaviyo.identifiers import job_id
from local.fake_klaviyo.profile_book import DuplicateProfileError, Nulls, UnknownProfileError
from local.fake_klaviyo.profile_checks import valid_email
from local.fake_klaviyo.scheduler import Scheduler
from local.fake_klaviyo.switches import Switches

KEPT_FOR = timedelta(days=7)
"""How long a finished job can be read."""


class ImportJobs:
    """Takes jobs in and runs them, by time or on demand, in the order the switches say."""

    def __init__(self, world: World, clock: Clock, scheduler: Scheduler, switches: Switches, faults: Faults) -> None:
        self._world = world
        self._clock = clock
        self._scheduler = scheduler
        self._switches = switches
        self._faults = faults

    def submit(self, account: Account, profiles: list[JsonObject], list_ids: list[str]) -> ImportJob:
        """Queue a job; in timed mode it runs by itself."""
        job = ImportJob(job_id(account.id), profiles, self._clock.now(), self._clock.elapsed(), list_ids=list_ids)
        account.jobs[job.id] = job
        if self._switches.job_mode == "timed":
            self._scheduler.after(self._switches.job_queue_seconds, lambda: self._start_next(account))
        return job

    def run_now(self, job_ids: list[str] | None = None) -> list[str]:
        """Complete queued jobs at once, in the given order or in that of the switches; returns their ids."""
        with self._world.lock:
            done = []
            if job_ids is not None:
                for account in self._world.accounts.values():
                    for wanted in job_ids:
                        if wanted in account.jobs and account.jobs[wanted].status != "complete":
                            self._finish(account, account.jobs[wanted])
                            done.append(wanted)
                return sorted(done, key=job_ids.index)
            for account in self._world.accounts.values():
                while (job := self._next_queued(account)) is not None:
                    self._finish(account, job)
                    done.append(job.id)
            return done

    def find(self, account: Account, wanted: str) -> ImportJob | None:
        """The job of that id, unless its seven days are over."""
        job = account.jobs.get(wanted)
        if job is None or self._clock.now() > job.created + KEPT_FOR:
            return None
        return job

    def _next_queued(self, account: Account) -> ImportJob | None:
        queued = [job for job in account.jobs.values() if job.status == "queued"]
        if not queued:
            return None
        if self._switches.job_order == "shuffled":
            return random.choice(queued)  # noqa: S311 - an order, not a secret
        return queued[0 if self._switches.job_order == "oldest_first" else -1]

    def _start_next(self, account: Account) -> None:
        with self._world.lock:
            job = self._next_queued(account)
            if job is None:
                return
            job.status = "processing"
            job.started = self._clock.now()
            self._scheduler.after(self._switches.job_processing_seconds, lambda: self._finish(account, job))

    def _finish(self, account: Account, job: ImportJob) -> None:
        with self._world.lock:
            if job.status == "complete":
                return
            now = self._clock.now()
            job.started = job.started or now
            for i, profile in enumerate(job.profiles):
                failure = self._import(account, profile, i, now)
                if failure is None:
                    job.completed_count += 1
                else:
                    job.failures.append(failure)
            job.status, job.completed = "complete", now

    def _import(self, account: Account, profile: JsonObject, i: int, now: datetime) -> ImportFailure | None:
        pointer = f"/data/attributes/profiles/data/{i}"
        email = profile["attributes"].get("email")
        if (injected := self._faults.import_error(account.id, profile)) is not None:
            return _failure("invalid", injected, f"{pointer}/attributes", profile)
        if email is not None and not valid_email(email):
            return _failure("invalid", "Invalid email address.", f"{pointer}/attributes/email", profile)
        try:
            account.profiles.upsert(profile, now, Nulls.IGNORE, merge=False)
        except DuplicateProfileError as error:
            return _failure("duplicate_profile", str(error), f"{pointer}/attributes", profile)
        except UnknownProfileError:
            return _failure("not_found", "A profile with this id does not exist.", f"{pointer}/id", profile)
        return None


def _failure(code: str, detail: str, pointer: str, payload: JsonObject) -> ImportFailure:
    return ImportFailure(str(uuid.uuid4()), code, detail, pointer, payload)
