//! Loading in a wasm VM: V8 through Node.js, since nothing else tells the VM's memory to the byte.
#![expect(
    clippy::indexing_slicing,
    reason = "a program that only developers run: a panic here tells of a bug and harms nobody"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use tollgate_bench::machine;
use tollgate_bench::report::{Bars, Section, Table, root, trim};
use tollgate_bench::shapes::Shape;
use tollgate_bench::timing::{median, median_ratio};
use tollgate_bench::wasm;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// Fresh processes of each kind, interleaved.
const PROCESSES: usize = 5;
/// Loads of one text in a process; the first is reported by itself.
const LOADS: usize = 4;
const UPDATES: usize = 10;
const MIB: f64 = 1_048_576.0;

fn main() -> Result<()> {
    let node = machine::output("node", &["--version"]);
    if node.is_empty() {
        println!("Node.js is missing: loading in wasm is not measured");
        return Ok(());
    }
    let module = wasm::build("tollgate-bench-loading", "loading.wasm")?;
    let folder = tempfile::tempdir()?;
    let vm = Vm { module: &module, folder: folder.path() };

    let mut section = Section::new("loading", "Loading in a wasm VM");
    section.say(&format!(
        "Shape A in V8 (Node.js {node}), {PROCESSES} fresh processes of each kind, interleaved; medians of the \
         thread's CPU time. *First* is the first load \
         of a process, while V8 still compiles; *warm* the later ones. The VM's memory holds the text, too."
    ));
    let mut bars = Bars::default();
    measure_time(&vm, &mut section, &mut bars)?;
    measure_memory(&vm, &mut section, &mut bars)?;
    section.bars(bars);
    section.save()?;
    Ok(())
}

fn measure_time(vm: &Vm<'_>, section: &mut Section, bars: &mut Bars) -> Result<()> {
    let mut table = Table::new(&[
        "rules",
        "JSON MB",
        "first: load ms",
        "IgnoredAny ms",
        "×",
        "warm: load ms",
        "IgnoredAny ms",
        "×",
    ]);
    for n in SIZES {
        let text = Shape::A.policy(n);
        let file = vm.write(&format!("a-{n}.json"), &text)?;
        let files = vec![file.as_path(); LOADS];
        let (mut loads, mut ignores) = (Vec::new(), Vec::new());
        for _ in 0..PROCESSES {
            loads.push(vm.run("load", &files)?);
            ignores.push(vm.run("ignore", &files)?);
        }
        let first = |runs: &[Vec<Load>]| -> Vec<f64> { runs.iter().map(|run| run[0].milliseconds).collect() };
        let warm = |runs: &[Vec<Load>]| -> Vec<f64> {
            runs.iter().map(|run| median(run[1..].iter().map(|load| load.milliseconds))).collect()
        };
        let firsts = (first(&loads), first(&ignores));
        let warms = (warm(&loads), warm(&ignores));
        let ratios = (median_ratio(&firsts.0, &firsts.1), median_ratio(&warms.0, &warms.1));
        table.row([
            n.to_string(),
            format!("{:.3}", text.len() as f64 / 1e6),
            trim(median(firsts.0)),
            trim(median(firsts.1)),
            trim(ratios.0),
            trim(median(warms.0)),
            trim(median(warms.1)),
            trim(ratios.1),
        ]);
        if n == 100_000 {
            let ratios = [("the first load", ratios.0), ("warm ones", ratios.1)];
            bars.each_at_most("load of 100,000 rules in wasm ÷ `IgnoredAny` of the same text", 5.0, &ratios, " ×");
        }
    }
    section.table("Time", &table);
    Ok(())
}

fn measure_memory(vm: &Vm<'_>, section: &mut Section, bars: &mut Bars) -> Result<()> {
    let mut table =
        Table::new(&["shape, 100,000 rules", "JSON MiB", "after the first load", "÷ JSON", "after ten updates"]);
    for shape in Shape::ALL {
        let text = shape.policy(100_000);
        let files = [vm.write("one.json", &text)?, vm.write("other.json", &shape.policy(90_000))?];
        let order: Vec<&Path> = (0..=UPDATES).map(|update| files[update % 2].as_path()).collect();
        let memory: Vec<f64> = vm.run("load", &order)?.iter().map(|load| load.memory).collect();
        let (first, last) = (memory[0], memory[UPDATES]);
        let json = text.len() as f64;
        table.row([shape.to_string(), trim(json / MIB), trim(first / MIB), trim(first / json), trim(last / MIB)]);
        if shape == Shape::A {
            bars.at_most(
                "VM after the first load of shape A ÷ (2.5 × JSON + 2 MiB)",
                1.0,
                first / (2.5 * json + 2.0 * MIB),
                "",
            );
            bars.at_most("VM after ten updates ÷ after five", 1.0, last / memory[UPDATES / 2], "");
        }
    }
    section.table("Memory of the VM, MiB", &table);
    Ok(())
}

/// The loader in wasm, and the folder of its files.
struct Vm<'a> {
    module: &'a Path,
    folder: &'a Path,
}

struct Load {
    milliseconds: f64,
    memory: f64,
}

impl Vm<'_> {
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, text)?;
        Ok(file)
    }

    /// A fresh process.
    fn run(&self, mode: &str, files: &[&Path]) -> Result<Vec<Load>> {
        let output = Command::new("node")
            .arg(root().join("benches/loading/run.mjs"))
            .arg(self.module)
            .arg(mode)
            .args(files)
            .output()?;
        ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout)?;
        lines
            .lines()
            .map(|line| {
                let (milliseconds, memory) = line.split_once(' ').context("not two numbers")?;
                Ok(Load { milliseconds: milliseconds.parse()?, memory: memory.parse()? })
            })
            .collect()
    }
}
