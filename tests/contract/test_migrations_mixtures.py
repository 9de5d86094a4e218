"""Files are edited, deleted and restored, runners killed, releases taken back: "done" is never said of a mixture."""

import hashlib
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from functions.migrate import backfill, rounds
from functions.migrate.journal import IN_FORCE, Entry
from functions.migrate.ledger import LEASE_S
from functions.migrate.migration import SHOWN, Backfill, Migration
from functions.migrate.runner import Request
from tests.contract.migrations import Killed, MortalClient, Site
from tests.harness.dynamodb_within import DynamoWithin


class Text(NamedTuple):
    """What an author may write: each order gets a form, which names its file and what was thought right that day."""

    number: int
    form: str
    way_back: str = "said"  # or "computed", which the journal can't keep, or "none"
    broken: bool = False  # it fails on some orders
    mended: tuple["Text", ...] = ()

    @property
    def checksum(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @property
    def value(self) -> str:
        return f"{self.form}{self.number}"

    def migration(self) -> Migration:
        values = {":form": {"S": self.value}}
        where = " OR ".join(["attribute_not_exists(form)", *[f"form = :m{n}" for n, _ in enumerate(self.mended)]])
        former = {f":m{n}": {"S": text.value} for n, text in enumerate(self.mended)}
        expand = Backfill(
            "orders", where, "SET form = :form", values=values | former, computed=self._fails if self.broken else None
        )
        down = Backfill("orders", "form = :form", "REMOVE form", values=values)
        if self.way_back == "computed":
            down = down._replace(computed=lambda item: {})
        name, mends = f"000{self.number}_{self.form}", tuple(text.checksum[:SHOWN] for text in self.mended)
        return Migration(
            self.number, name, self.checksum, expand, None, down if self.way_back != "none" else None, 0, mends
        )

    def _fails(self, item):
        if int(item["id"]["S"]) % 4 == 3:
            raise LookupError("no form for that")
        return {}


# Its `down` takes from every order what it always had; it never gave it to any.
GRASPING = Text(1, "grasping")
LIVE = {"live": {"S": "always"}}


def grasping() -> Migration:
    whole = GRASPING.migration()
    assert whole.down is not None
    taken = whole.down._replace(where="attribute_exists(live) OR form = :form", update="REMOVE live, form")
    return whole._replace(down=taken)


TEXTS = st.builds(
    Text,
    st.sampled_from([1, 1, 2]),
    st.sampled_from(["wrong", "right"]),
    st.sampled_from(["said", "said", "computed", "none"]),
    st.sampled_from([False, False, True]),
)
# At which call of DynamoDB's the runner dies; there are about twenty in all.
KILLED = st.none() | st.integers(3, 20)


class Releases(RuleBasedStateMachine):
    """The model: which forms orders may have, by the files that answer for them in the journal."""

    def __init__(self) -> None:
        super().__init__()
        self.site = Site(DynamoWithin(), ())
        self.texts = {GRASPING.checksum: GRASPING}
        self.serial = 0
        self.late = set()
        self.grasped = False

    def teardown(self) -> None:
        self.site.close()

    @property
    def entries(self) -> dict[int, Entry]:
        return dict(self.site.journal().entries)

    @initialize(text=TEXTS)
    def there_are_orders_and_a_file(self, text: Text) -> None:
        self.place(6)
        self.write(text)

    def place(self, count: int) -> None:
        placed = [str(n) for n in range(self.serial, self.serial + count)]
        self.serial += count
        self.site.put(*[{"id": {"S": name}, **LIVE} for name in placed])
        if any(entry.state in IN_FORCE or entry.half_way for entry in self.entries.values()):
            self.late.update(placed)  # the backfill may have gone by

    @rule(count=st.integers(0, 3), gone=st.integers(0, 99))
    def orders_come_and_go(self, count: int, gone: int) -> None:
        self.place(count)
        if len(names := sorted(self.site.items())) > 4:
            self.site.client.delete_item(TableName=self.site.orders, Key={"id": {"S": names[gone % len(names)]}})

    @rule(text=TEXTS | st.just(GRASPING) | st.none())
    def the_file_is_edited_or_deleted(self, text: Text | None) -> None:
        self.write(text)

    @precondition(lambda self: self.entries)
    @rule(at=st.integers(0, 9))
    def a_file_is_restored(self, at: int) -> None:
        entries = [*self.entries.values()]
        self.write(self.texts[entries[at % len(entries)].checksum])

    def write(self, text: Text | None) -> None:
        self.site.migrations = () if text is None else (grasping(),) if text == GRASPING else (text.migration(),)
        if text is not None:
            self.texts[text.checksum] = text

    @rule(
        text=TEXTS | st.none(),
        calls=st.integers(6, 18),
        after=st.booleans(),
        way_back=st.booleans(),
        mends=st.booleans(),
    )
    def it_is_killed_edited_and_released(
        self, text: Text | None, calls: int, after: bool, way_back: bool, mends: bool
    ) -> None:
        self.run(Request("down", None) if way_back else Request("expand", "r1"), calls, after=after)
        half_way = tuple(self.texts[entry.checksum] for entry in self.entries.values() if entry.half_way)
        self.write(text._replace(mended=half_way) if text and mends else text)
        self.it_is_released("r2", None, after=False)

    @rule(release=st.sampled_from(["r1", "r2"]), calls=KILLED, after=st.booleans())
    def it_is_released(self, release: str, calls: int | None, after: bool) -> None:
        told = self.run(Request("expand", release), calls, after=after)
        if told is None:
            return
        if told["status"] == "failed":
            names = {entry.name for entry in self.entries.values()} | {each.name for each in self.site.migrations}
            assert any(name in told["reason"] for name in names), told
            return
        assert not any(entry.half_way for entry in self.entries.values())
        whole = [entry for _, entry in sorted(self.entries.items()) if entry.state == "expanded"]
        forms = {item.get("form", {}).get("S") for name, item in self.site.items().items() if name not in self.late}
        assert forms <= {self.texts[whole[0].checksum].value if whole else None}, (forms, whole)

    @rule(release=st.sampled_from(["r1", "r2", None]), calls=KILLED, after=st.booleans())
    def it_is_taken_back(self, release: str | None, calls: int | None, after: bool) -> None:
        self.run(Request("down", release), calls, after=after)

    def run(self, request, calls, *, after):
        """Invoke until the end; None: the runner was killed."""
        client, slice_s = MortalClient(self.site.client, calls, after=after), 1e9 if calls else 0
        try:
            while (told := self.site.runner(client=client, slice_s=slice_s).run(request))["status"] == "more":
                assert "trouble" not in told["progress"], told
        except Killed:
            self.site.clock.sleep(LEASE_S)
            return None
        finally:
            begun = [e.checksum for e in self.entries.values() if e.state == "expanded" or e.touched]
            self.grasped |= GRASPING.checksum in begun
        return told

    @invariant()
    def every_form_is_answered_for(self) -> None:
        answering = [entry for entry in self.entries.values() if entry.state in IN_FORCE or entry.half_way]
        answered = set()
        while answering:
            entry = answering.pop()
            text = self.texts[entry.checksum]
            answered |= {text.value, *[each.value for each in text.mended]}
            if entry.before is not None:
                answering.append(Entry.loads(entry.before))
        forms = {item["form"]["S"] for item in self.site.items().values() if "form" in item}
        assert forms <= answered, (forms, self.entries)

    @invariant()
    def nothing_is_taken_that_was_not_given(self) -> None:
        assert self.grasped or all("live" in item for item in self.site.items().values())


@pytest.fixture
def _short_pages(monkeypatch):
    monkeypatch.setattr(backfill, "PAGE", 2)
    monkeypatch.setattr(rounds, "SEGMENTS", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("_short_pages")
def test_no_sequence_ends_in_done_over_a_mixture():
    run_state_machine_as_test(
        Releases,
        settings=settings(
            max_examples=max(10, settings().max_examples // 3),
            stateful_step_count=12,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
