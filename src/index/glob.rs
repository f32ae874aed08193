//! Path patterns that are no cheap form, as automata.
//!
//! A pattern becomes a position automaton (Glushkov): one position for every byte it can consume. Where the
//! deterministic automaton of it is small it is built at load, and a path costs one table look-up a byte; else the
//! positions are simulated as bit sets. Both are linear in the path, and nothing goes back.

use super::pattern::{Segment, segments};
use crate::request::widen;
use rustc_hash::FxHashMap;

/// Positions a pattern can have: one for each of its at most 256 bytes.
type Set = [u64; 4];
const EMPTY: Set = [0; 4];
const POSITIONS: usize = 256;

/// A table entry takes two bytes: no more than 16 KiB a pattern.
const MOST_ENTRIES: usize = 1 << 13;
const DEAD: u16 = 0;
const START: u16 = 1;

/// Automata that read a path together.
const LANES: usize = 8;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Glob {
    /// Class of every byte.
    class_of: Box<[u8; 256]>,
    engine: Engine,
}

/// A deterministic automaton. A state is known by where its row begins: its number × `classes`.
#[derive(Debug)]
struct Table {
    classes: usize,
    /// The next row, at row + class; row 0 is dead.
    next: Box<[u16]>,
    /// By number.
    accepts: Box<[bool]>,
}

impl Table {
    fn accepts(&self, row: usize) -> bool {
        let number = row.checked_div(self.classes).unwrap_or(0);
        self.accepts.get(number).copied().unwrap_or(false)
    }
}

#[derive(Debug)]
enum Engine {
    Table(Table),
    Positions { automaton: Positions, masks: Box<[Set]> },
}

impl Glob {
    /// Compiles a checked pattern for the narrow reading of paths or the wide one. None if it is too long.
    pub(crate) fn compile(pattern: &str, wide: bool) -> Option<Glob> {
        let automaton = Builder::default().path(pattern, wide)?;
        let (class_of, masks) = automaton.classes();
        let engine = match automaton.table(&masks) {
            Some(table) => Engine::Table(table),
            None => Engine::Positions { automaton, masks: masks.into() },
        };
        Some(Glob { class_of, engine })
    }

    pub(crate) fn bytes(&self) -> usize {
        let engine = match &self.engine {
            Engine::Table(table) => table.next.len().saturating_mul(2).saturating_add(table.accepts.len()),
            Engine::Positions { automaton, masks } => {
                automaton.follow.len().saturating_add(masks.len()).saturating_mul(size_of::<Set>())
            }
        };
        engine.saturating_add(256).saturating_add(size_of::<Glob>())
    }
}

/// Automata that read a path side by side. Each step of one waits for memory; together they wait once.
#[derive(Default)]
pub(super) struct DfaBatch<'g> {
    batch: [Lane<'g>; LANES],
    used: usize,
}

#[derive(Clone, Copy)]
struct Lane<'g> {
    class_of: &'g [u8; 256],
    next: &'g [u16],
    row: usize,
    table: Option<&'g Table>,
    label: u32,
}

impl Default for Lane<'_> {
    /// A dead one.
    fn default() -> Self {
        Lane { class_of: &[0; 256], next: &[], row: 0, table: None, label: 0 }
    }
}

impl<'g> DfaBatch<'g> {
    /// Adds a pattern under a label, and reads the path when there are enough: the label of one that matches.
    pub(super) fn add(&mut self, glob: &'g Glob, label: u32, path: &[u8]) -> Option<u32> {
        let table = match &glob.engine {
            Engine::Table(table) => table,
            Engine::Positions { automaton, masks } => {
                let classes = path.iter().map(|byte| glob.class_of.get(usize::from(*byte)).copied().unwrap_or(0));
                return automaton.run(masks, classes).then_some(label);
            }
        };
        if let Some(lane) = self.batch.get_mut(self.used) {
            let row = table.classes.wrapping_mul(usize::from(START));
            *lane = Lane { class_of: &glob.class_of, next: &table.next, row, table: Some(table), label };
        }
        self.used = self.used.saturating_add(1);
        if self.used < LANES { None } else { self.read(path) }
    }

    /// Reads the path with those that still wait.
    pub(super) fn read(&mut self, path: &[u8]) -> Option<u32> {
        if self.used == 0 {
            return None;
        }
        let DfaBatch { mut batch, .. } = std::mem::take(self);
        for byte in path {
            let mut alive = 0;
            for lane in &mut batch {
                let class = lane.class_of.get(usize::from(*byte)).copied().unwrap_or(0);
                let next = lane.next.get(lane.row.wrapping_add(usize::from(class))).copied();
                lane.row = usize::from(next.unwrap_or(DEAD));
                alive |= lane.row;
            }
            if alive == 0 {
                return None;
            }
        }
        let matching = |lane: &&Lane<'_>| lane.table.is_some_and(|table| table.accepts(lane.row));
        batch.iter().find(matching).map(|lane| lane.label)
    }
}

/// The bytes a position can consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consumes {
    One(u8),
    AnyButSlash,
    Any,
}

impl Consumes {
    fn takes(self, byte: u8) -> bool {
        match self {
            Consumes::One(one) => one == byte,
            Consumes::AnyButSlash => byte != b'/',
            Consumes::Any => true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Start,
    At(Set),
}

/// The automaton: which positions come first, which follow which, which may be the last.
#[derive(Debug)]
struct Positions {
    consumes: Vec<Consumes>,
    follow: Vec<Set>,
    first: Set,
    last: Set,
    empty: bool,
}

impl Positions {
    /// The positions that can come next.
    fn next(&self, state: &State) -> Set {
        match state {
            State::Start => self.first,
            State::At(set) => ones(set).filter_map(|at| self.follow.get(at)).fold(EMPTY, |all, set| or(&all, set)),
        }
    }

    /// Tells whether a path, as the classes of its bytes, matches.
    fn run(&self, masks: &[Set], path: impl Iterator<Item = u8>) -> bool {
        let mut state = State::Start;
        for class in path {
            let set = and(&self.next(&state), masks.get(usize::from(class)).unwrap_or(&EMPTY));
            if set == EMPTY {
                return false;
            }
            state = State::At(set);
        }
        self.accepts(&state)
    }

    fn accepts(&self, state: &State) -> bool {
        match state {
            State::Start => self.empty,
            State::At(set) => and(set, &self.last) != EMPTY,
        }
    }

    /// Bytes that the same positions consume share a class; the positions of each class.
    fn classes(&self) -> (Box<[u8; 256]>, Vec<Set>) {
        let mut class_of = Box::new([0; 256]);
        let mut masks: Vec<Set> = Vec::new();
        for (byte, class) in (0..=u8::MAX).zip(class_of.iter_mut()) {
            let mut mask = EMPTY;
            for (at, consumes) in self.consumes.iter().enumerate() {
                if consumes.takes(byte) {
                    insert(&mut mask, at);
                }
            }
            let known = masks.iter().position(|known| *known == mask).unwrap_or_else(|| {
                masks.push(mask);
                masks.len().saturating_sub(1)
            });
            *class = u8::try_from(known).unwrap_or(u8::MAX);
        }
        (class_of, masks)
    }

    /// The deterministic automaton, if it is small.
    fn table(&self, masks: &[Set]) -> Option<Table> {
        let mut numbers: FxHashMap<State, u16> = FxHashMap::default();
        let mut states = vec![State::At(EMPTY), State::Start];
        let mut next = vec![DEAD; masks.len()];
        numbers.insert(State::Start, START);
        let mut done = 1;
        while let Some(state) = states.get(done).copied() {
            done = done.saturating_add(1);
            let reach = self.next(&state);
            for mask in masks {
                let set = and(&reach, mask);
                let number = if set == EMPTY {
                    DEAD
                } else {
                    let new = u16::try_from(states.len()).ok()?;
                    let number = *numbers.entry(State::At(set)).or_insert(new);
                    if number == new {
                        states.push(State::At(set));
                    }
                    number
                };
                next.push(number);
            }
            if next.len() > MOST_ENTRIES {
                return None;
            }
        }
        // rows instead of numbers; all of them are below MOST_ENTRIES
        let classes = u16::try_from(masks.len()).ok()?;
        for state in &mut next {
            *state = state.checked_mul(classes)?;
        }
        let accepts = states.iter().map(|state| self.accepts(state)).collect();
        Some(Table { classes: masks.len(), next: next.into(), accepts })
    }
}

/// Part of a pattern, as a set of ways through it.
#[derive(Clone, Copy)]
struct Fragment {
    first: Set,
    last: Set,
    /// Nothing at all is a way through it.
    empty: bool,
}

const NOTHING: Fragment = Fragment { first: EMPTY, last: EMPTY, empty: true };

#[derive(Default)]
struct Builder {
    consumes: Vec<Consumes>,
    follow: Vec<Set>,
}

impl Builder {
    fn path(mut self, pattern: &str, wide: bool) -> Option<Positions> {
        let mut whole = NOTHING;
        let mut segments = segments(pattern).peekable();
        while let Some(segment) = segments.next() {
            let slash = self.position(Consumes::One(b'/'))?;
            let part = if segment == Segment::Deep {
                let rest = self.star(Consumes::Any)?;
                let mut part = self.then(slash, rest);
                // at the end `**` wants a segment, though it may be an empty one; the wide reading does without
                part.empty = segments.peek().is_some() || wide;
                part
            } else {
                let text = self.segment(segment, wide)?;
                self.then(slash, text)
            };
            whole = self.then(whole, part);
        }
        Some(Positions {
            consumes: self.consumes,
            follow: self.follow,
            first: whole.first,
            last: whole.last,
            empty: whole.empty,
        })
    }

    fn segment(&mut self, segment: Segment<'_>, wide: bool) -> Option<Fragment> {
        let mut way = NOTHING;
        // the wide reading cuts a segment at its first `;`: ways that end there
        let mut cut: Option<Fragment> = None;
        for piece in segment.pieces() {
            let mut through: Option<Fragment> = None;
            for branch in piece.branches() {
                let (branch, is_cut) = self.branch(branch, wide)?;
                let longer = self.then(way, branch);
                let set = if is_cut { &mut cut } else { &mut through };
                *set = Some(set.map_or(longer, |other| either(&other, &longer)));
            }
            match through {
                Some(through) => way = through,
                None => return cut,
            }
        }
        Some(cut.map_or(way, |cut| either(&cut, &way)))
    }

    /// Literals with `*` between them; whether the wide reading ends the segment in it.
    fn branch(&mut self, text: &str, wide: bool) -> Option<(Fragment, bool)> {
        let mut way = NOTHING;
        for (index, literal) in text.split('*').enumerate() {
            if index > 0 {
                let star = self.star(Consumes::AnyButSlash)?;
                way = self.then(way, star);
            }
            let part = self.literal(literal, wide)?;
            way = self.then(way, part);
            if wide && is_cut(literal) {
                return Some((way, true));
            }
        }
        Some((way, false))
    }

    fn literal(&mut self, text: &str, wide: bool) -> Option<Fragment> {
        let mut widened = Vec::new();
        if wide {
            widen(text.as_bytes(), &mut widened);
        } else {
            widened.extend_from_slice(text.as_bytes());
        }
        widened.into_iter().try_fold(NOTHING, |way, byte| {
            let byte = self.position(Consumes::One(byte))?;
            Some(self.then(way, byte))
        })
    }

    fn position(&mut self, consumes: Consumes) -> Option<Fragment> {
        let at = self.consumes.len();
        if at >= POSITIONS {
            return None;
        }
        self.consumes.push(consumes);
        self.follow.push(EMPTY);
        let mut set = EMPTY;
        insert(&mut set, at);
        Some(Fragment { first: set, last: set, empty: false })
    }

    fn star(&mut self, consumes: Consumes) -> Option<Fragment> {
        let one = self.position(consumes)?;
        self.link(&one.last, &one.first);
        Some(Fragment { empty: true, ..one })
    }

    fn then(&mut self, a: Fragment, b: Fragment) -> Fragment {
        self.link(&a.last, &b.first);
        Fragment {
            first: if a.empty { or(&a.first, &b.first) } else { a.first },
            last: if b.empty { or(&a.last, &b.last) } else { b.last },
            empty: a.empty && b.empty,
        }
    }

    fn link(&mut self, from: &Set, to: &Set) {
        for at in ones(from) {
            if let Some(follow) = self.follow.get_mut(at) {
                *follow = or(follow, to);
            }
        }
    }
}

fn either(a: &Fragment, b: &Fragment) -> Fragment {
    Fragment { first: or(&a.first, &b.first), last: or(&a.last, &b.last), empty: a.empty || b.empty }
}

/// Tells whether the wide reading ends a segment inside this text.
fn is_cut(text: &str) -> bool {
    text.contains(';') || text.contains("%3B")
}

fn insert(set: &mut Set, at: usize) {
    if let Some(word) = set.get_mut(at.div_euclid(64)) {
        *word |= 1_u64.wrapping_shl(at as u32);
    }
}

fn or(a: &Set, b: &Set) -> Set {
    std::array::from_fn(|at| a.get(at).copied().unwrap_or(0) | b.get(at).copied().unwrap_or(0))
}

fn and(a: &Set, b: &Set) -> Set {
    std::array::from_fn(|at| a.get(at).copied().unwrap_or(0) & b.get(at).copied().unwrap_or(0))
}

/// The numbers in a set.
fn ones(set: &Set) -> impl Iterator<Item = usize> {
    (0_usize..).step_by(64).zip(*set).flat_map(|(base, mut word)| {
        std::iter::from_fn(move || {
            (word != 0).then(|| {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                base.wrapping_add(bit)
            })
        })
    })
}
