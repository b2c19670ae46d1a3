"""Properties over random orders of everything that can happen.

`world.Cluster` checks each step of the operator; at the end of each story the job must come to a terminal phase in
finite time and stay there.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from evaluation_operator.lifecycle.observed import Refusal, WarningView
from evaluation_operator.resources.phases import TERMINAL
from tests.unit.lifecycle.given import summary
from tests.unit.lifecycle.world import ACTIVE, PENDING, QUEUE, TARGET_OBJECT, Cluster

ROUNDS = 400


class Life(RuleBasedStateMachine):
    """One evaluation job in a cluster where anything may happen at any time."""

    cluster: Cluster

    @initialize(
        queue=st.sampled_from([False, False, True]),
        by_reference=st.sampled_from([False, False, True]),
        suspend=st.sampled_from([False, False, False, True]),
        stage=st.sampled_from(["new", "created", "started", "started"]),
    )
    def begin(self, queue: bool, by_reference: bool, suspend: bool, stage: str) -> None:
        """Most stories begin in the middle, where more can happen."""
        self.cluster = Cluster(queue=queue, by_reference=by_reference)
        if stage != "new":
            self.cluster.target = TARGET_OBJECT
        if suspend:
            self.cluster.change_spec(suspend=True)
        if stage == "new":
            self.cluster.deliver_all()
            return
        self.everybody_does_their_part()
        if stage == "started":
            self.cluster.admit()
            self.cluster.control_jobs()
            self.cluster.start_pod()
            self.everybody_does_their_part()

    @rule(times=st.integers(1, 3))
    def operator_works(self, times: int) -> None:
        for _ in range(times):
            self.cluster.work()

    @rule(kind=st.sampled_from(["job", "child", "pods", "target"]))
    def a_feed_catches_up(self, kind: str) -> None:
        self.cluster.deliver(kind)

    @rule()
    def all_feeds_catch_up(self) -> None:
        self.cluster.deliver_all()

    @rule(after=st.integers(0, 2))
    def operator_will_crash(self, after: int) -> None:
        self.cluster.crash_after = after

    @rule()
    def operator_restarts(self) -> None:
        self.cluster.restart_operator()

    @rule(seconds=st.sampled_from([1, 5, 11, 20, 61, PENDING, ACTIVE]))
    def time_passes(self, seconds: int) -> None:
        self.cluster.now += seconds

    @rule()
    def job_controller_works(self) -> None:
        self.cluster.control_jobs()

    @rule()
    def everybody_does_their_part(self) -> None:
        self.cluster.deliver_all()
        self.cluster.work()
        self.cluster.control_jobs()
        self.cluster.deliver_all()
        self.cluster.work()

    @rule()
    def a_pod_is_made_and_starts(self) -> None:
        self.cluster.admit()
        self.cluster.control_jobs()
        self.cluster.start_pod()

    @rule(reason=st.sampled_from(["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"]))
    def the_pod_is_hindered(self, reason: str) -> None:
        self.cluster.hinder_pod(reason)

    @rule(said=st.sampled_from([summary(), summary(), "", "garbage", summary("failed", reason="ResultsIncomplete")]))
    def the_runner_ends_well(self, said: str) -> None:
        self.cluster.end_pod(0, said)

    @rule(reported=st.booleans())
    def the_runner_ends_well_and_all_see_it(self, reported: bool) -> None:
        if reported:
            self.cluster.report_result()
        self.cluster.end_pod(0, "" if reported else summary())
        self.everybody_does_their_part()

    @rule(
        code=st.sampled_from([1, 10, 11, 12, 13, 14, 137, 143]),
        said=st.sampled_from(["", summary("failed", reason="EndpointRefused", message="401")]),
        disrupted=st.booleans(),
    )
    def the_runner_ends_badly(self, code: int, said: str, disrupted: bool) -> None:
        self.cluster.end_pod(code, said, disrupted=disrupted)

    @rule()
    def deleted_pods_go(self) -> None:
        self.cluster.reap_pods()

    @rule()
    def the_result_is_reported(self) -> None:
        self.cluster.report_result()

    @rule(suspend=st.booleans())
    def the_user_suspends_or_resumes(self, suspend: bool) -> None:
        self.cluster.change_spec(suspend=suspend)

    @rule(resume=st.booleans())
    def the_user_pauses_until_nothing_runs(self, resume: bool) -> None:
        self.cluster.change_spec(suspend=True)
        for _ in range(3):
            self.everybody_does_their_part()
            self.cluster.reap_pods()
        if resume:
            self.cluster.change_spec(suspend=False)
            self.everybody_does_their_part()
            self.a_pod_is_made_and_starts()
            self.everybody_does_their_part()

    @rule()
    def the_user_edits_the_description(self) -> None:
        self.cluster.change_spec(description="other")

    @precondition(lambda self: len(self.cluster.phases) > 2)
    @rule()
    def the_user_cancels(self) -> None:
        self.cluster.change_spec(cancel=True)

    @rule(present=st.booleans())
    def the_target_comes_or_goes(self, present: bool) -> None:
        self.cluster.target = TARGET_OBJECT if present else None

    @rule(refused=st.sampled_from([None, None, Refusal(403, "exceeded quota")]))
    def the_server_refuses(self, refused: Refusal | None) -> None:
        self.cluster.refuses = refused

    @rule(found=st.sampled_from([(), (WarningView("Job", "FailedCreate", "exceeded quota"),)]))
    def events_are_written(self, found: tuple[WarningView, ...]) -> None:
        self.cluster.warnings = found

    @precondition(lambda self: self.cluster.phase in {"pending", "active"})
    @rule(foreground=st.booleans())
    def somebody_deletes_the_kubernetes_job(self, foreground: bool) -> None:
        self.cluster.remove_child(foreground=foreground)

    @rule()
    def the_queue_admits(self) -> None:
        self.cluster.admit()

    @precondition(lambda self: self.cluster.phase == "active")
    @rule()
    def the_queue_preempts(self) -> None:
        self.cluster.preempt()

    def teardown(self) -> None:
        """From here on nobody helps: no pod starts or ends by itself, nothing is admitted, no target appears. The
        operator, the Job controller and the deletion of pods go on."""
        if not hasattr(self, "cluster"):
            return
        cluster = self.cluster
        cluster.crash_after = None
        cluster.change_spec(suspend=False)
        begun = cluster.now
        for _ in range(ROUNDS):
            if cluster.phase in TERMINAL:
                break
            cluster.control_jobs()
            cluster.reap_pods()
            cluster.deliver_all()
            cluster.work()
            # Sleep as long as the operator says that nothing needs doing, but for what the cluster itself does.
            cluster.now = max(cluster.now + 1, min(int(cluster.requeue_at) + 1, cluster.now + 1800))
        assert cluster.phase in TERMINAL, f"stuck: {cluster.phases}"
        assert cluster.now - begun <= PENDING + ACTIVE + QUEUE + 20 * 60
        self._stays(cluster)

    def _stays(self, cluster: Cluster) -> None:
        end = cluster.phase
        for _ in range(8):
            cluster.control_jobs()
            cluster.reap_pods()
            cluster.deliver_all()
            cluster.work()
            cluster.now += 1
        # Nothing runs any more, the last generation is acknowledged, and nothing is left to do.
        assert cluster.phase == end
        assert not [pod for pod in cluster.pods if pod["status"]["phase"] in {"Pending", "Running"}]
        assert cluster.job["status"]["observedGeneration"] == cluster.job["metadata"]["generation"]
        version = cluster.job["metadata"]["resourceVersion"]
        cluster.work()
        assert cluster.job["metadata"]["resourceVersion"] == version


#: Longer than the stories take, so that a failure can be made small before it is shown.
TestLife = pytest.mark.timeout(300)(Life.TestCase)
TestLife.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
