"""Calendar files: what a manager exports from the calendar closes the brand, and a broken file is named."""

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.hours import OpeningHours
from config.brand import Brand, BrandError, load_brand, reload_if_valid
from config.calendars import LARGEST, BadCalendar, closures

OSLO = ZoneInfo("Europe/Oslo")
HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOURS = 'timezone: Europe/Oslo, open: {mon-sun: "09:00-17:00"}'

Exported = Callable[..., OpeningHours]


def event(*lines: str, uid: str | None = None) -> str:
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid or lines}", "SUMMARY:Stocktaking", *lines, "END:VEVENT"])


def calendar(*events: str, head: str = "") -> str:
    head = f"\n{head}" if head else ""
    return "\n".join([f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//{head}", *events, "END:VCALENDAR\n"])


def brand(folder: Path, ics: str | bytes | None, name: str = "closures.ics") -> Brand:
    if ics is not None:
        (folder / name).write_bytes(ics if isinstance(ics, bytes) else ics.encode())
    path = folder / "brand.yaml"
    path.write_text(f"brand: {{name: A}}\nhours:\n  calendars:\n    - {name}\n  timezone: Europe/Oslo\n")
    return load_brand(path, now=NOW)


@pytest.fixture
def opened(tmp_path: Path) -> Exported:
    """The hours of a brand in Oslo, open from nine to five every day, under a calendar of these events."""

    def hours(*events: str, head: str = "") -> OpeningHours:
        (tmp_path / "closures.ics").write_text(calendar(*events, head=head), encoding="utf-8")
        path = tmp_path / "brand.yaml"
        path.write_text(
            f"brand: {{name: A}}\nhours: {{{HOURS}, calendars: closures.ics}}\n", encoding="utf-8"
        )
        return load_brand(path, now=NOW).hours(now=NOW)

    return hours


def oslo(*when: int) -> datetime:
    year, month, day, hour, minute = when
    return datetime(year, month, day, hour, minute, tzinfo=OSLO).astimezone(UTC)


# ── what a calendar closes ───────────────────────────────────────────────────────────────────────


def test_an_event_of_whole_days_closes_them(opened: Exported) -> None:
    """The day an event ends on is not one of its days, as calendars count."""
    hours = opened(event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"))

    assert hours.closed == {date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)}
    assert hours.add(oslo(2026, 12, 23, 16, 30), HOUR) == oslo(2026, 12, 27, 9, 30)


def test_an_event_of_one_day_needs_no_end(opened: Exported) -> None:
    """Calendars leave it out."""
    assert opened(event("DTSTART;VALUE=DATE:20261224")).closed == {date(2026, 12, 24)}


def test_an_event_with_times_closes_those_hours(opened: Exported) -> None:
    """The day is a day of the brand all the same, and ends at its usual time."""
    hours = opened(event("DTSTART:20261202T110000", "DTEND:20261202T140000"))

    assert not hours.is_open(oslo(2026, 12, 2, 11, 0))
    assert hours.is_open(oslo(2026, 12, 2, 14, 0))
    assert hours.add(oslo(2026, 12, 2, 10, 30), HOUR) == oslo(2026, 12, 2, 14, 30)
    assert hours.end_of_open_day(oslo(2026, 12, 2, 12, 0)) == oslo(2026, 12, 2, 17, 0)


def test_an_event_until_closing_time_ends_the_day_early(opened: Exported) -> None:
    """Who is promised an answer the same day has it before people go."""
    hours = opened(event("DTSTART:20261224T120000", "DTEND:20261224T235900"))

    assert hours.end_of_open_day(oslo(2026, 12, 24, 10, 0)) == oslo(2026, 12, 24, 12, 0)


@pytest.mark.parametrize(
    ("lines", "head", "begins"),
    [
        (("DTSTART:20261202T100000", "DURATION:PT1H"), "", (10, 0)),
        (("DTSTART:20261202T100000Z", "DURATION:PT1H"), "", (11, 0)),
        (("DTSTART;TZID=Europe/London:20261202T100000", "DURATION:PT1H"), "", (11, 0)),
        (("DTSTART;TZID=W. Europe Standard Time:20261202T100000", "DURATION:PT1H"), "", (10, 0)),
        (("DTSTART:20261202T100000Z", "DURATION:PT1H"), "X-WR-TIMEZONE:America/New_York", (11, 0)),
    ],
    ids=["no zone", "UTC", "a zone", "a zone as Windows names it", "a zone to show it in"],
)
def test_times_are_read_in_the_zone_that_they_name(
    opened: Exported, lines: tuple[str, ...], head: str, begins: tuple[int, int]
) -> None:
    """Without one, where the brand is."""
    hours = opened(event(*lines), head=head)
    assert hours.opens(oslo(2026, 12, 2, *begins)) == oslo(2026, 12, 2, *begins) + HOUR


def test_a_repeated_event_closes_each_time(opened: Exported) -> None:
    """On the wall's clock, also after it changed; but not where one was taken out or moved."""
    weekly = event(
        "DTSTART;TZID=Europe/Oslo:20261006T130000",
        "DTEND;TZID=Europe/Oslo:20261006T140000",
        "RRULE:FREQ=WEEKLY",
        "EXDATE;TZID=Europe/Oslo:20261110T130000",
        uid="weekly",
    )
    moved = event(
        "RECURRENCE-ID;TZID=Europe/Oslo:20261201T130000",
        "DTSTART;TZID=Europe/Oslo:20261201T150000",
        "DTEND;TZID=Europe/Oslo:20261201T160000",
        uid="weekly",
    )
    hours = opened(weekly, moved)

    shut = {
        (month, day, hour): not hours.is_open(oslo(2026, month, day, hour, 0))
        for month, day, hour in [(10, 20, 13), (10, 27, 13), (11, 10, 13), (12, 1, 13), (12, 1, 15)]
    }
    assert [when for when, closed in shut.items() if closed] == [(10, 20, 13), (10, 27, 13), (12, 1, 15)]
    assert not hours.is_open(oslo(2028, 12, 26, 13, 30)), "two years on"


def test_a_cancelled_event_closes_nothing(opened: Exported) -> None:
    """It is still in the file."""
    hours = opened(event("DTSTART;VALUE=DATE:20261224", "STATUS:CANCELLED"))
    assert not hours.closed


def test_an_event_closes_also_if_its_owner_is_free(opened: Exported) -> None:
    """Calendars show whole days as free unless somebody says otherwise."""
    assert opened(event("DTSTART;VALUE=DATE:20261224", "TRANSP:TRANSPARENT")).closed == {date(2026, 12, 24)}


def test_an_event_that_repeats_for_ever_is_known_for_the_years_asked_for(tmp_path: Path) -> None:
    """Asked again ten years later, it closes that year too."""
    yearly = calendar(event("DTSTART;VALUE=DATE:20200229", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"))
    made = brand(tmp_path, yearly)

    assert date(2028, 2, 29) in made.hours(now=NOW).closed
    assert date(2036, 2, 29) not in made.hours(now=NOW).closed
    assert date(2036, 2, 29) in made.hours(now=datetime(2036, 1, 1, tzinfo=UTC)).closed


def test_several_calendars_close_together(tmp_path: Path) -> None:
    """Also one of several calendars in one file, and one beside another folder's."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "a.ics").write_text(calendar(event("DTSTART;VALUE=DATE:20261222")))
    both = calendar(event("DTSTART;VALUE=DATE:20261223")) + calendar(event("DTSTART;VALUE=DATE:20261224"))
    (tmp_path / "b.ics").write_text(both)
    path = tmp_path / "brand.yaml"
    path.write_text("brand: {name: A}\nhours: {calendars: [shared/a.ics, b.ics]}\n")
    made = load_brand(path)

    assert made.hours(now=NOW).closed == {date(2026, 12, day) for day in (22, 23, 24)}
    assert made.folders == {tmp_path, tmp_path / "shared"}


# ── what is wrong with a file ────────────────────────────────────────────────────────────────────

CHRISTMAS = event("DTSTART;VALUE=DATE:20261224")


@pytest.mark.parametrize(
    ("ics", "sentence"),
    [
        (None, "there is no file"),
        ("", "this is no iCal file: it does not begin with BEGIN:VCALENDAR"),
        ("<html>Sign in</html>", "this is no iCal file: it does not begin with BEGIN:VCALENDAR"),
        (calendar(CHRISTMAS).removesuffix("END:VCALENDAR\n"), "the file ends in the middle of a calendar"),
        (calendar(event("SUMMARY:x\xe9")).encode("latin-1"), "the file is not UTF-8 text; save it as UTF-8"),
        (b"x" * (LARGEST + 1), "the file is larger than 1 MB; export only the closures"),
        (calendar(CHRISTMAS, "what is this"), "this is no calendar that Heard can read: "),
        (calendar(event()), "the event `Stocktaking` has no beginning (DTSTART)"),
        (calendar(event("DTSTART:2026-12-24")), "the event `Stocktaking` has a broken DTSTART: "),
        (
            calendar(event("DTSTART;TZID=Nowhere:20261224T120000", "DURATION:PT1H")),
            "the event `Stocktaking` is in a time zone that Heard does not know: Nowhere",
        ),
        (
            calendar(event("DTSTART:20261224T120000", "DTEND:20261224T110000")),
            "the event `Stocktaking` ends before it begins",
        ),
        (
            calendar(event("DTSTART:20261224T120000", "DURATION:PT1H", "RRULE:FREQ=OFTEN")),
            "the event `Stocktaking` has a broken RRULE: ",
        ),
        (
            calendar(event("DTSTART:20261224T120000", uid="1"), event("DTSTART:20261226T120000", uid="1")),
            "the event `Stocktaking` has the UID of another event; give each its own",
        ),
        (
            calendar(event("DTSTART:20200101T000000", "DURATION:PT1S", "RRULE:FREQ=SECONDLY")),
            "the event `Stocktaking` repeats many times a day; write such hours under `open`",
        ),
    ],
)
def test_a_broken_calendar_is_named_with_its_line(
    tmp_path: Path, ics: str | bytes | None, sentence: str
) -> None:
    """The line in brand.yaml, the file, and what is the matter with it."""
    with pytest.raises(BrandError) as caught:
        brand(tmp_path, ics)
    said = str(caught.value)
    assert said.startswith(f"brand.yaml:4: hours › calendars › closures.ics: {sentence}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("address", ["https://example.org/a.ics", "webcal://example.org/a.ics"])
def test_a_calendar_is_never_fetched(tmp_path: Path, address: str) -> None:
    """An address is refused, not opened."""
    with pytest.raises(BrandError, match="Heard never fetches a calendar"):
        brand(tmp_path, None, name=f'"{address}"')


def test_a_calendar_that_breaks_leaves_the_old_settings_in_force(tmp_path: Path) -> None:
    """As a wrong brand.yaml does; once it is whole again, what it says is new."""
    first = brand(tmp_path, calendar(CHRISTMAS))
    (tmp_path / "closures.ics").write_text("BEGIN:VCALENDAR\n")
    kept, said = reload_if_valid(first, first.source)
    assert kept is first
    assert said is not None
    assert "kept the settings in force" in said
    assert "brand.yaml:4: hours › calendars › closures.ics: the file ends in the middle" in said

    (tmp_path / "closures.ics").write_text(calendar(CHRISTMAS, event("DTSTART;VALUE=DATE:20261231")))
    fresh, said = reload_if_valid(first, first.source)
    assert said is None
    assert fresh.sha256 != first.sha256, "a changed calendar is a change"
    assert date(2026, 12, 31) in fresh.hours(now=NOW).closed - first.hours(now=NOW).closed


def test_two_calendars_that_close_everything_are_an_error(tmp_path: Path) -> None:
    """One closes the weekdays, one the weekends: nobody would ever be there."""
    for name, days in (("a", "MO,TU,WE,TH,FR"), ("b", "SA,SU")):
        weekly = event("DTSTART;VALUE=DATE:20260101", f"RRULE:FREQ=WEEKLY;BYDAY={days}")
        (tmp_path / f"{name}.ics").write_text(calendar(weekly))
    path = tmp_path / "brand.yaml"
    path.write_text("brand: {name: A}\nhours:\n  calendars: [a.ics]\n")
    assert load_brand(path, now=NOW).hours(now=NOW).is_open(oslo(2026, 12, 5, 12, 0))

    path.write_text(
        "brand: {name: A}\nhours:\n  calendars: [a.ics, b.ics]\n"
        "promises: [{name: p, within: 1h, clock: opening}]\n"
    )
    with pytest.raises(BrandError) as caught:
        load_brand(path, now=NOW)
    assert str(caught.value) == (
        "brand.yaml:3: hours › calendars: holidays, closed days and calendars together leave no open hour in "
        "the next year"
    )


ICS_WORDS = st.sampled_from(
    ["DTSTART:", "20261224", "T120000", "Z", ";TZID=", ";VALUE=DATE:", "RRULE:", "FREQ=DAILY", ";COUNT=", "3"]
).flatmap(
    lambda word: st.sampled_from(
        [
            word,
            "|",
            "DTEND:",
            "DURATION:",
            "PT1H",
            "EXDATE:",
            "|BEGIN:VEVENT|",
            "|END:VEVENT|",
            "-1",
            "UNTIL=",
        ]
    )
)


@given(st.lists(ICS_WORDS, max_size=20))
def test_any_calendar_gives_closures_or_a_sentence(words: list[str]) -> None:
    """Whatever is in the file, nothing else escapes."""
    text = calendar(event(*"".join(words).split("|"))).encode()
    with contextlib.suppress(BadCalendar):
        assert closures(text, "Europe/Oslo", date(2026, 1, 1), date(2027, 1, 1)) is not None
