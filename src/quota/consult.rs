//! The one consultation of a request: all its quotas, charged together or not at all.
//!
//! Pages are read, everything is decided on what was read, and pages are written back if nobody was faster. Quotas on
//! one page are thereby charged at once. Where there are several pages and one cannot be written, what was charged on
//! those before stands while the rest is tried again, and is taken back if the rest refuses.

use super::account::Account;
use super::bucket::{Level, Now, State};
use super::ledger::{Books, Bucket, Clocks, Ledger, OVERFLOW, Room, Sheet, Work};
use super::limit::{Quota, Unit};
use super::members::{Members, Membership};
use super::store::{SharedStore, TRIES, Unchanged};

/// A quota that a request is charged to.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'d> {
    /// The quota.
    pub quota: &'d Quota,
    /// Its number in the policy.
    pub number: u32,
    /// The key of its bucket.
    pub key: &'d str,
    /// Whether it refuses, or only says that it would.
    pub enforced: bool,
}

/// Why a quota refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its limit is reached.
    Exhausted,
    /// Its state could not be read or changed.
    Unavailable,
}

/// What came of one demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consulted {
    /// Why it refuses, or would; nothing if it lets the request pass.
    pub refusal: Option<Refusal>,
    /// How its bucket stands: charged if the request passes, else as it was found.
    pub level: Level,
    /// It shares the bucket of those that came too late.
    pub overflowed: bool,
}

/// What came of all of them.
#[derive(Debug, Default)]
pub struct Consultation {
    /// For each demand, in order.
    pub results: Vec<Consulted>,
    /// What the request goes on to owe, if anything. A request that is refused may owe something too: what it held for a
    /// moment and could not give back.
    pub account: Option<Account>,
}

/// Everything that a change of the store needs.
#[derive(Debug)]
pub struct Desk<'d, S> {
    pub(super) ledger: &'d mut Ledger,
    pub(super) books: &'d Books,
    pub(super) membership: &'d mut Membership,
    pub(super) shared: &'d mut S,
}

/// A demand on its way.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// It needs no further attempt: it is charged, or refused in a dry-run.
    settled: bool,
    /// A place was taken for its bucket, and is used.
    reserved: bool,
    used: bool,
    /// The sheet of the bucket, by number.
    sheet: usize,
    /// Where it stands there, if it does.
    place: Option<usize>,
    mended: bool,
    /// What the bucket was, made fit for the limit and the time, and what a charge made of it.
    before: State,
    after: Option<State>,
    result: Consulted,
}

/// What one attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Charged,
    Refused,
    /// Somebody was faster, or there is no room: once more.
    Again,
}

impl Ledger {
    /// Puts together what a change of the store needs.
    pub fn desk<'d, S>(
        &'d mut self,
        books: &'d Books,
        membership: &'d mut Membership,
        shared: &'d mut S,
    ) -> Desk<'d, S> {
        Desk { ledger: self, books, membership, shared }
    }

    /// Charges a request to all quotas that it belongs to, or to none: if an enforced one refuses, nothing is consumed.
    /// A quota in dry-run that refuses is not charged either, and the others are. `bytes` are those of the request's
    /// headers.
    pub fn consult(
        &mut self,
        demands: &[Demand<'_>],
        bytes: u64,
        books: &Books,
        membership: &mut Membership,
        shared: &mut impl SharedStore,
    ) -> Consultation {
        self.desk(books, membership, shared).consult(demands, bytes)
    }
}

impl<S: SharedStore> Desk<'_, S> {
    fn consult(&mut self, demands: &[Demand<'_>], bytes: u64) -> Consultation {
        let mut courses = std::mem::take(&mut self.ledger.courses);
        courses.clear();
        courses.extend(demands.iter().map(|_| Course::default()));
        let (mut member, mut now) = (0, Now::default());
        let run =
            self.with_sheets(|desk, sheets| desk.run(demands, bytes, &mut courses, &mut member, &mut now, sheets));
        let charged = match self.noted(run) {
            Ok(charged) => charged,
            Err(_) => {
                courses.iter_mut().filter(|course| !course.settled).for_each(Course::fail);
                !is_refused(demands, &courses)
            }
        };
        let mut account = Account::new(member);
        for (demand, course) in demands.iter().zip(&mut courses) {
            course.tell_level(demand, charged, now);
            if course.reserved && !course.used {
                self.ledger.unreserve(demand.quota, self.books, self.shared);
            }
            if course.result.refusal.is_some() || !course.settled {
                continue;
            }
            if course.result.overflowed {
                self.ledger.events().overflowed.push(demand.number);
            }
            if charged {
                account.open(demand, &course.result);
            } else if !self.take_back(demand, bytes, course, member) {
                account.owe_back(demand, &course.result);
            }
        }
        let results = courses.iter().map(|course| course.result).collect();
        self.ledger.courses = courses;
        Consultation { results, account: (!account.is_empty()).then_some(account) }
    }

    /// Lends the ledger's room for sheets.
    fn with_sheets<R>(&mut self, run: impl FnOnce(&mut Self, &mut Vec<Sheet>) -> R) -> R {
        let mut sheets = std::mem::take(&mut self.ledger.sheets);
        let result = run(self, &mut sheets);
        sheets.clear();
        self.ledger.sheets = sheets;
        result
    }

    /// Whether everything that is enforced is charged.
    fn run(
        &mut self,
        demands: &[Demand<'_>],
        bytes: u64,
        courses: &mut [Course],
        member: &mut u32,
        now: &mut Now,
        sheets: &mut Vec<Sheet>,
    ) -> Result<bool, Unchanged> {
        for _ in 0..TRIES {
            sheets.clear();
            let mut clocks = Clocks::default();
            self.read(demands, courses, sheets, &mut clocks)?;
            clocks.tell(now);
            if demands.iter().any(|demand| demand.quota.unit == Unit::Concurrent) {
                *member = self.membership.number(self.shared, now.monotonic)?;
            }
            self.decide(demands, courses, *now)?;
            let refused = is_refused(demands, courses);
            let attempt = self.change_all(demands, bytes, courses, refused, *member, sheets, &mut clocks)?;
            let attempt = match attempt {
                Attempt::Again => Attempt::Again,
                attempt => self.write(demands, courses, attempt, sheets)?,
            };
            match attempt {
                Attempt::Charged => return Ok(true),
                Attempt::Refused => return Ok(false),
                Attempt::Again => {}
            }
        }
        Err(Unchanged::Contended)
    }

    /// Reads the buckets that are not settled, and then the clocks that they need.
    fn read(
        &mut self,
        demands: &[Demand<'_>],
        courses: &mut [Course],
        sheets: &mut Vec<Sheet>,
        clocks: &mut Clocks,
    ) -> Result<(), Unchanged> {
        for (demand, course) in unsettled(demands, courses) {
            course.sheet = self.ledger.sheet(&course.bucket(demand), self.books, sheets, self.shared)?;
        }
        // Only now: whatever stands on the pages was charged before this time.
        for (demand, _) in unsettled(demands, courses) {
            clocks.read_for(&demand.quota.limit, self.shared)?;
        }
        for (demand, course) in unsettled(demands, courses) {
            let bucket = course.bucket(demand);
            let Some(sheet) = sheets.get(course.sheet) else { return Err(Unchanged::Unavailable) };
            let (stored, place) = sheet.state(&bucket);
            let standing = stored.stand(demand.quota.unit, &demand.quota.limit, clocks.now());
            if standing.foreign {
                self.ledger.events().count_foreign();
            }
            (course.before, course.place, course.mended) = (standing.state, place, standing.mended);
            course.after = None;
        }
        Ok(())
    }

    /// Decides about the buckets that are not settled.
    fn decide(&mut self, demands: &[Demand<'_>], courses: &mut [Course], now: Now) -> Result<(), Unchanged> {
        let mut members = None;
        for (demand, course) in unsettled(demands, courses) {
            let Quota { unit, limit, .. } = demand.quota;
            let mut has_room = course.before.has_room(*unit, limit, now);
            if !has_room && *unit == Unit::Concurrent {
                let members = match &members {
                    Some(members) => members,
                    None => members.insert(self.members()?),
                };
                course.mended |= course.before.forget(|member| members.is_gone(member, now.monotonic));
                has_room = course.before.has_room(*unit, limit, now);
            }
            course.result.refusal = (!has_room).then_some(Refusal::Exhausted);
        }
        Ok(())
    }

    fn members(&mut self) -> Result<Members, Unchanged> {
        let members = Members::of(self.shared)?;
        if members.is_none() {
            self.ledger.events().count_foreign();
        }
        Ok(members.unwrap_or_default())
    }

    /// Puts onto the sheets what the buckets become: charged, or mended only.
    #[expect(clippy::too_many_arguments, reason = "the parts of one attempt")]
    fn change_all(
        &mut self,
        demands: &[Demand<'_>],
        bytes: u64,
        courses: &mut [Course],
        refused: bool,
        member: u32,
        sheets: &mut Vec<Sheet>,
        clocks: &mut Clocks,
    ) -> Result<Attempt, Unchanged> {
        for (demand, course) in unsettled(demands, courses) {
            let charge = if refused || course.result.refusal.is_some() { 0 } else { charge_of(demand.quota, bytes) };
            let after = if charge > 0 {
                let charged = course.before.clone().charge(&demand.quota.limit, charge, member, clocks.now());
                charged.ok_or(Unchanged::Unavailable)?
            } else if course.mended {
                course.before.clone()
            } else {
                continue;
            };
            if charge > 0 && course.place.is_none() {
                let bucket = course.bucket(demand);
                let work = &mut Work { sheets, clocks };
                let (sheet, reserved) = (course.sheet, &mut course.reserved);
                match self.ledger.make_room(&bucket, sheet, reserved, self.books, work, self.shared)? {
                    Room::On(sheet) => course.sheet = sheet,
                    Room::Full => {
                        course.result.overflowed = true;
                        return Ok(Attempt::Again);
                    }
                }
            }
            let bucket = course.bucket(demand);
            if !sheets.get_mut(course.sheet).is_some_and(|sheet| sheet.set(&bucket, course.place, &after)) {
                return Err(Unchanged::Unavailable);
            }
            course.after = (charge > 0).then_some(after);
        }
        Ok(if refused { Attempt::Refused } else { Attempt::Charged })
    }

    /// Writes the sheets back, and settles what stands on those that could be written.
    fn write(
        &mut self,
        demands: &[Demand<'_>],
        courses: &mut [Course],
        attempt: Attempt,
        sheets: &[Sheet],
    ) -> Result<Attempt, Unchanged> {
        for (number, sheet) in sheets.iter().enumerate() {
            let written = !sheet.changed || self.ledger.put(sheet, self.books, self.shared)?;
            if attempt == Attempt::Refused {
                // Something was mended at most, and whoever comes next can do that, too.
                continue;
            }
            if !written {
                return Ok(Attempt::Again);
            }
            for (_, course) in unsettled(demands, courses).filter(|(_, course)| course.sheet == number) {
                course.settled = true;
                course.used = course.place.is_none() && course.after.is_some();
            }
        }
        Ok(attempt)
    }

    /// Takes back what was charged before another quota refused; false if something is still held.
    fn take_back(&mut self, demand: &Demand<'_>, bytes: u64, course: &Course, member: u32) -> bool {
        let Some(after) = &course.after else { return true };
        let (bucket, n) = (course.bucket(demand), charge_of(demand.quota, bytes));
        let taken = self.change(&bucket, |state, _| Some(state.take_back(&course.before, after, n, member)));
        self.noted(taken).is_ok() || demand.quota.unit != Unit::Concurrent
    }

    /// Changes one bucket, within the usual number of tries. `change` gets the state made fit for limit and time; what it
    /// returns is stored, and returned with the time; if it returns nothing, nothing is stored.
    pub(super) fn change(
        &mut self,
        bucket: &Bucket<'_>,
        mut change: impl FnMut(State, Now) -> Option<State>,
    ) -> Result<Option<(State, Now)>, Unchanged> {
        let mut reserved = false;
        let mut bucket = *bucket;
        let mut result = Err(Unchanged::Contended);
        let mut used = false;
        for _ in 0..TRIES {
            let tried = self.with_sheets(|desk, sheets| {
                desk.try_change(&mut bucket, &mut reserved, &mut used, &mut change, sheets)
            });
            match tried {
                Ok(None) => {}
                Ok(Some(changed)) => {
                    result = Ok(changed);
                    break;
                }
                Err(unchanged) => {
                    result = Err(unchanged);
                    break;
                }
            }
        }
        if reserved && !used {
            self.ledger.unreserve(bucket.quota, self.books, self.shared);
        }
        result
    }

    /// One try; none if it takes another.
    fn try_change(
        &mut self,
        bucket: &mut Bucket<'_>,
        reserved: &mut bool,
        used: &mut bool,
        change: &mut impl FnMut(State, Now) -> Option<State>,
        sheets: &mut Vec<Sheet>,
    ) -> Result<Option<Option<(State, Now)>>, Unchanged> {
        let mut clocks = Clocks::default();
        let mut at = self.ledger.sheet(bucket, self.books, sheets, self.shared)?;
        // Only now: whatever stands on the page was charged before this time.
        clocks.read_for(&bucket.quota.limit, self.shared)?;
        let now = clocks.now();
        let Some(sheet) = sheets.get(at) else { return Err(Unchanged::Unavailable) };
        let (stored, place) = sheet.state(bucket);
        let standing = stored.stand(bucket.quota.unit, &bucket.quota.limit, now);
        let Some(after) = change(standing.state, now) else { return Ok(Some(None)) };
        if place.is_none() {
            if after.is_at_rest(now) {
                return Ok(Some(Some((after, now))));
            }
            let work = &mut Work { sheets, clocks: &mut clocks };
            match self.ledger.make_room(bucket, at, reserved, self.books, work, self.shared)? {
                Room::On(sheet) => at = sheet,
                Room::Full => {
                    bucket.key = OVERFLOW;
                    return Ok(None);
                }
            }
        }
        if !sheets.get_mut(at).is_some_and(|sheet| sheet.set(bucket, place, &after)) {
            return Err(Unchanged::Unavailable);
        }
        for sheet in sheets.iter().filter(|sheet| sheet.changed) {
            if !self.ledger.put(sheet, self.books, self.shared)? {
                return Ok(None);
            }
        }
        *used = place.is_none();
        Ok(Some(Some((after, now))))
    }
}

impl Course {
    fn bucket<'b>(&self, demand: &Demand<'b>) -> Bucket<'b> {
        Bucket { quota: demand.quota, key: if self.result.overflowed { OVERFLOW } else { demand.key } }
    }

    /// Says how the bucket stands: charged if everything is, else as it was found.
    fn tell_level(&mut self, demand: &Demand<'_>, charged: bool, now: Now) {
        if self.result.refusal != Some(Refusal::Unavailable) {
            let charged = self.after.as_ref().filter(|_| charged && self.settled);
            self.result.level = charged.unwrap_or(&self.before).level(&demand.quota.limit, now);
        }
    }

    fn fail(&mut self) {
        self.result.refusal = Some(Refusal::Unavailable);
    }
}

/// Demands that need another attempt.
fn unsettled<'a, 'd>(
    demands: &'a [Demand<'d>],
    courses: &'a mut [Course],
) -> impl Iterator<Item = (&'a Demand<'d>, &'a mut Course)> {
    demands.iter().zip(courses).filter(|(_, course)| !course.settled)
}

/// Whether something that is enforced refuses.
fn is_refused(demands: &[Demand<'_>], courses: &[Course]) -> bool {
    demands.iter().zip(courses).any(|(demand, course)| demand.enforced && course.result.refusal.is_some())
}

/// What a request is charged at once.
fn charge_of(quota: &Quota, bytes: u64) -> u64 {
    match quota.unit {
        Unit::Requests | Unit::Concurrent => 1,
        unit => unit.of_bytes(bytes, 0),
    }
}
