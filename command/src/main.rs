//! The `tollgate` command.

fn main() -> std::process::ExitCode {
    tollgate_cli::main()
}
