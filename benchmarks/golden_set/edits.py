"""For each reference answer a change that makes it contradict the passage it was taken from.

Each was written by hand, so that the changed sentence reads well and is wrong for certain: a
fact that is swapped for another one, or a statement that is turned into its opposite.
"""

from collections.abc import Mapping

SWAPPED: Mapping[str, tuple[str, str]] = {
    "install-packages": ("with apt", "with snap"),
    "install-source": ("release 1.80", "release 1.60"),
    "install-checksums": (
        "Verify the signature first, then compare the digest of the archive with the list",
        "Compare the digest of the archive with the list first, then verify the signature",
    ),
    "install-first-run": ("token once", "token at every start"),
    "install-uninstall": ("but leaves the data directory alone", "and erases the data directory"),
    "config-env": ("prefix TIDE and double underscores", "prefix TW and single dots"),
    "config-reload": ("SIGHUP", "SIGTERM"),
    "config-logging": ("standard error", "standard output"),
    "config-limits": ("256 KiB", "4 MiB"),
    "deploy-container": ("/data", "/var/cache"),
    "deploy-kubernetes": (
        "after the broker has replayed its journal",
        "before the broker replays its journal",
    ),
    "deploy-cluster": ("three or five brokers", "two or four brokers"),
    "deploy-proxy": ("sixty seconds", "ten minutes"),
    "auth-tokens": ("tidectl token create", "tidewrackd user add"),
    "auth-roles": ("producer, consumer", "editor, approver"),
    "auth-tls": ("in the listen section", "in the auth section"),
    "auth-sso": ("an OpenID Connect provider", "a SAML provider"),
    "upgrade-minor": ("the leader last", "the leader first"),
    "upgrade-major": ("tidewrackd migrate", "tidectl compact"),
    "backup-create": ("taken online with", "taken with all brokers stopped, by"),
    "backup-restore": ("an empty data directory", "the data directory in use"),
    "edge-hardware": ("512 MiB", "8 GiB"),
    "edge-sync": ("thirty seconds", "two hours"),
    "edge-conflicts": ("drops the second one", "keeps both of them"),
    "edge-flash": ("ten seconds", "ten minutes"),
    "edge-provision": ("printed on each device", "sent to each owner by e-mail"),
    "api-enqueue": ("POST /v1/jobs", "PUT /v1/tasks"),
    "api-lease": ("POST /v1/leases", "GET /v1/jobs/next"),
    "api-ack": ("with the nack call", "by closing the connection"),
    "api-heartbeat": ("/heartbeat", "/renew"),
    "api-retry": (
        "starts at five seconds and doubles up to one hour",
        "starts at one minute and doubles up to one day",
    ),
    "api-batch": ("one thousand", "fifty"),
    "api-queue-pause": ("/pause", "/stop"),
    "api-queue-stats": ("/stats", "/info"),
    "api-schedules": ("PUT /v1/schedules/{name}", "POST /v1/cron"),
    "api-schedule-dst": ("at the next valid minute", "a full day later"),
    "api-webhooks": ("POST /v1/webhooks", "POST /v1/events/subscribe"),
    "api-webhook-sign": ("HMAC-SHA256", "HMAC-MD5"),
    "api-paging": ("an opaque cursor", "a page number"),
    "api-ratelimit": ("600 requests", "6,000 requests"),
    "api-idempotency": ("an Idempotency-Key header", "an X-Request-Once header"),
    "client-go": ("when the lease is lost", "when the queue is empty"),
    "storage-full": ("five percent", "forty percent"),
    "storage-compaction": ("tidectl compact", "tidectl vacuum"),
    "storage-slow": ("200 milliseconds", "ten seconds"),
    "net-timeouts": ("an idle limit of a load balancer", "the rate limit of their token"),
    "perf-throughput": ("forty thousand", "four hundred"),
    "perf-memory": ("300 bytes", "300 KiB"),
    "mon-metrics": ("on the dashboard port", "on the client port"),
    "mon-tracing": ("the W3C format", "the Zipkin format"),
    "dash-timezone": ("in the zone of the browser", "in the zone of the server"),
}
"""Passage id -> what of its reference answer is swapped, and for what."""

NEGATED: Mapping[str, tuple[str, str]] = {
    "config-file": ("without starting anything", "but not without starting the server"),
    "edge-overview": (
        "accepts jobs locally, keeps them on flash and forwards",
        "does not accept jobs locally, does not keep them on flash and only forwards",
    ),
    "api-deadletter": ("with their last error", "without their last error"),
    "api-cancel": ("and asks a running one to stop", "but does not ask a running one to stop"),
    "api-queues": (
        "spring into being with the first job, or are made explicitly",
        "do not spring into being with the first job and must be made explicitly",
    ),
    "api-queue-fair": ("the broker serves keys in turn", "the broker does not serve keys in turn"),
    "api-schedule-miss": ("are handled", "are not handled"),
    "api-webhook-order": ("arrive in order", "do not arrive in order"),
    "api-errors": ("come as JSON with a stable code", "do not come as JSON and lack a stable code"),
    "client-python": (
        "Decorate a function with task to make it",
        "Decorating a function with task does not make it",
    ),
    "client-async": (
        "become tasks with the same decorator and run",
        "do not become tasks with the same decorator and never run",
    ),
    "client-js": ("It only enqueues in the browser", "It does not enqueue in the browser"),
    "client-testing": ("without a server", "but not without a server"),
    "worker-stuck": ("but still sends heartbeats", "and does not send heartbeats"),
    "worker-crash": ("mostly comes", "does not come"),
    "worker-poison": (
        "kills every worker that touches it, often through memory",
        "does not kill the workers that touch it",
    ),
    "worker-idle": ("point at", "do not point at"),
    "worker-duplicate": (
        "Duplicates appear when a lease expires while the work goes on, often because",
        "Duplicates do not appear when a lease expires while the work goes on, not even because",
    ),
    "worker-shutdown": (
        "cut long jobs off, which later show as lost",
        "do not cut long jobs off, and none of them shows as lost",
    ),
    "storage-layout": ("that can be rebuilt", "that cannot be rebuilt"),
    "storage-corrupt": ("means a damaged", "does not mean a damaged"),
    "net-refused": (
        "binds to the loopback interface only, so remote clients fail until",
        "does not bind to the loopback interface only, so remote clients work before",
    ),
    "net-partition": ("the minority refuses", "the minority does not refuse"),
    "perf-latency": ("is dominated", "is not dominated"),
    "perf-hotqueue": ("serialises its consumers", "does not serialise its consumers"),
    "mon-alerts": ("Alert on", "Do not alert on"),
    "dash-access": ("is mostly caused", "is not caused"),
    "dash-search": (
        "a job identifier, a tag or a word of the error",
        "a job identifier but no tag and no word of the error",
    ),
}
"""Passage id -> what of its reference answer is turned into its opposite, and how."""
