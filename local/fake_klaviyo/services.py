"""The parts of the fake that endpoint handlers use."""

from dataclasses import dataclass

from local.fake_klaviyo.accounts import World
from local.fake_klaviyo.clock import Clock
from local.fake_klaviyo.deliveries import Deliveries
from local.fake_klaviyo.faults import Faults
from local.fake_klaviyo.import_jobs import ImportJobs
from local.fake_klaviyo.oauth import OAuth
from local.fake_klaviyo.rate_limits import RateLimiter
from local.fake_klaviyo.recorder import Recorder
from local.fake_klaviyo.scheduler import Scheduler
from local.fake_klaviyo.seed import Seed
from local.fake_klaviyo.switches import Switches


@dataclass(frozen=True)
class Services:
    """Everything shared between calls."""

    world: World
    clock: Clock
    scheduler: Scheduler
    switches: Switches
    faults: Faults
    limiter: RateLimiter
    recorder: Recorder
    deliveries: Deliveries
    jobs: ImportJobs
    oauth: OAuth
    seed: Seed
    """What a reset starts from."""
