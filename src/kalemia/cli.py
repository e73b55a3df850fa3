"""The command line: `kalemia --help` lists the commands, each of which loads only what it needs."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kalemia import __version__
from kalemia.core.errors import UserError, as_user_error
from kalemia.core.wording import RESEARCH_USE, align_columns, list_counts, plural

if TYPE_CHECKING:
    from kalemia.core.config import Study
    from kalemia.models.model import Model
    from kalemia.monitor.windows import Record
    from kalemia.sources.signal_files import Stated

CONFIG = Path(__file__).parents[2] / "config.yaml"  # in the checkout that Kalemia is installed from


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error for a person becomes one line on standard error and exit status 1."""
    options = _parser().parse_args(arguments)
    try:
        _check_utf_8(sys.argv[1:] if arguments is None else arguments)
        options.run(options)
    except BrokenPipeError:  # the reader, for example `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        mistake = as_user_error(error)
        if mistake is None:
            raise
        print(f"kalemia: {mistake}", file=sys.stderr)
        return 1
    return 0


def _check_utf_8(arguments: Sequence[str]) -> None:
    """Refuse names of files that are not UTF-8, which libraries cannot open and no report can show."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UserError(f"{argument!a}: is not UTF-8; rename the file") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kalemia", description="Potassium from the ECG, one patient at a time.", epilog=RESEARCH_USE
    )
    parser.add_argument("--version", action="version", version=f"kalemia {__version__}. {RESEARCH_USE}")
    parser.set_defaults(run=lambda _: parser.print_help())  # where no command is named
    commands = parser.add_subparsers(metavar="command")
    beats = _add_command(commands, "beats", help="find, check and extract the beats of a recording")
    beats.add_argument("record", help="path of a WFDB record without extension, or of an EDF, BDF, CSV or .vital file")
    _add_recording(beats, "cohort.lead")
    beats.add_argument("--out", required=True, metavar="FILE.parquet", help="output file")
    beats.add_argument("--plot", metavar="FILE.png", help="also plot the beats")
    _add_configuration(beats)
    beats.set_defaults(run=_beats)
    export = _add_command(commands, "export", help="export a network of a finished study as a self-contained folder")
    export.add_argument("network", help="RESULTS/generic or RESULTS/personal/ARM/PATIENT/round-K")
    export.add_argument("--to", required=True, metavar="DIR", help="model folder to write; new or empty")
    export.add_argument(
        "--format", nargs="+", default=[], choices=("onnx", "torch"), help="other formats to add (docs/models.md)"
    )
    export.set_defaults(run=_export)
    predict = _add_command(
        commands, "predict", help="apply a trained network to a recording, in windows of ten minutes"
    )
    _add_model_and_recording(predict)
    predict.add_argument("--out", required=True, metavar="FILE", help="output file, .csv or .parquet")
    predict.add_argument("--plot", metavar="FILE.svg", help="also draw the probability over time")
    predict.set_defaults(run=_predict)
    monitor = _add_command(commands, "monitor", help="apply a trained network minute by minute, with alerts and a page")
    _add_model_and_recording(monitor)
    monitor.add_argument("--out", required=True, metavar="DIR", help="output folder")
    monitor.add_argument("--follow", action="store_true", help="continue while the recording grows, until Ctrl-C")
    monitor.add_argument("--potassium", metavar="FILE.csv", help="known values to show next to the predictions")
    monitor.set_defaults(run=_monitor)
    plan = _add_command(
        commands,
        "plan",
        help="say what running a study takes or, with --patients and --draws, what it can show; starts nothing",
    )
    _add_study(plan)
    plan.add_argument("--patients", type=int, metavar="N", help="personal patients")
    plan.add_argument("--draws", type=int, metavar="M", help="usable draws of each, whatever their value")
    plan.set_defaults(run=_plan)
    _add_registry(commands)
    enroll = _add_command(commands, "enroll", help="personalize a generic model folder for one more patient")
    enroll.add_argument("--model", required=True, metavar="DIR", help="model folder of a generic network")
    enroll.add_argument(
        "--recordings", required=True, metavar="DIR", help="recordings.csv and potassium.csv (docs/own-recordings.md)"
    )
    enroll.add_argument("--work", required=True, metavar="DIR", help="working folder; a later call continues there")
    enroll.add_argument("--registry", required=True, metavar="DIR", help="registry to add the models to")
    enroll.add_argument("--min-draws", type=int, metavar="N", help="minimum number of draws of each class (default: 8)")
    enroll.set_defaults(run=_enroll)
    report = _add_command(
        commands, "report", help="rebuild the evaluation and all pages of a finished study, without its ECG"
    )
    report.add_argument("--from", required=True, dest="results", metavar="DIR", help="results folder of the study")
    report.add_argument("--to", metavar="DIR", help="write into this folder, a copy without ECG (default: in place)")
    report.set_defaults(run=_report)
    check = _add_command(
        commands, "check", help="check whether a study can run, and what is missing; exit status 1 if it cannot"
    )
    _add_study(check)
    check.set_defaults(run=_check)
    fetch = _add_command(commands, "fetch", help="fetch what a study needs from the web before it runs")
    _add_study(fetch)
    fetch.add_argument("--dry-run", action="store_true", help="say how much would be fetched from where, and stop")
    fetch.set_defaults(run=_fetch)
    status = _add_command(
        commands, "status", help="count the finished files of a study per stage and patient; starts nothing"
    )
    status.add_argument("--results", metavar="DIR", help="results folder; a finished one has its own configuration")
    _add_configuration(status)
    status.set_defaults(run=_status)
    return parser


def _add_command(commands: "argparse._SubParsersAction", name: str, help: str) -> argparse.ArgumentParser:
    """A command whose own help begins with what the list of commands says of it."""
    return commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.", epilog=RESEARCH_USE)


def _add_registry(commands: "argparse._SubParsersAction") -> None:
    registry = _add_command(commands, "registry", help="keep model folders by patient and round, and verify them")
    actions = registry.add_subparsers(required=True, metavar="action")
    for name, run, doc in (
        ("add", _registry_add, "copy a model folder into the registry"),
        ("list", _registry_list, "list the models"),
        ("show", _registry_show, "print the card of a model"),
        ("verify", _registry_verify, "check the hash of every file; exit status 1 if one was changed"),
    ):
        action = _add_command(actions, name, help=doc)
        action.add_argument("registry", metavar="DIR", help="folder of the registry")
        action.set_defaults(run=run)
        if name == "add":
            action.add_argument("model", help="model folder, as `kalemia export` makes it")
        if name == "show":
            action.add_argument("name", help="name of a model, as `list` prints it")


def _add_recording(command: argparse.ArgumentParser, default_lead: str) -> None:
    command.add_argument("--lead", help=f"name of the lead in the record's header (default: {default_lead})")
    command.add_argument("--rate", default="", metavar="HZ", help="sampling rate; overrides that of the file")
    command.add_argument("--unit", help="mV, uV, nV or V; overrides that of the file")


def _add_model_and_recording(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", required=True, metavar="DIR", help="model folder, as `kalemia export` makes it")
    record_help = "path of a WFDB record without extension, or of an EDF, BDF, CSV or .vital file"
    command.add_argument("--record", required=True, metavar="FILE", help=record_help)
    _add_recording(command, "the model's")


def _add_configuration(command: argparse.ArgumentParser) -> None:
    """The options of Snakemake that name a configuration; `_read_study` reads them."""
    command.add_argument(
        "--configfile",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE.yaml",
        help="overlays on config.yaml, as for snakemake",
    )
    command.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings that override them, as for snakemake",
    )


def _add_study(command: argparse.ArgumentParser) -> None:
    """A study by its files, as `_add_configuration` does by options; `_read_study` reads them."""
    command.add_argument(
        "configfile", nargs="*", metavar="STUDY.yaml", help="overlays on config.yaml, as --configfile of snakemake"
    )
    command.add_argument(
        "--config", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="settings that override them"
    )


def _read_study(options: argparse.Namespace) -> "Study":
    from kalemia.core.config_files import read_study

    return read_study(CONFIG, options.configfile, options.config)


def _beats(options: argparse.Namespace) -> None:
    from kalemia.beats.beats_of_record import extract_record_beats, plot_beats, write_record_beats
    from kalemia.beats.segment_beats import BeatSettings

    study = _read_study(options)
    window_minutes, lead = study.cohort.window_minutes, options.lead or study.cohort.lead
    settings = BeatSettings.from_study(study)
    beats = extract_record_beats(options.record, lead, settings, window_minutes, _stated(options))
    write_record_beats(beats, options.out)
    if options.plot:
        plot_beats(beats, f"{options.record}, lead {lead}", options.plot)
    for row in beats.windows:
        lost = list_counts(dict(row["rejection_counts"])) or "none"
        verdict = f"excluded: {row['reason']}" if row["reason"] else f"{row['n_kept']} kept of {row['n_good']} good"
        start = row["draw_id"] * window_minutes
        print(f"from minute {start:g}: {plural(row['n_r_peaks'], 'beat')}, {verdict}; lost: {lost}")


def _export(options: argparse.Namespace) -> None:
    from kalemia.models.export_model import export_model

    config = export_model(options.network, options.to, options.format)
    print(
        f"{options.to}: {config.name}, of {plural(len(config.draws), 'draw')} until {config.cut_off}. {config.notice}"
    )


def _predict(options: argparse.Namespace) -> None:
    from kalemia.monitor.predict_record import check_names, plot_windows, predict_record, write_windows

    out = Path(options.out)
    check_names(out, options.plot)
    model, record = _open_model_and_record(options, is_growing=False)
    table = predict_record(Path(options.model), model, record)
    write_windows(table, out)
    if options.plot:
        plot_windows(table, model, record.path.name, Path(options.plot))
    n_answers, n_positive = len(table) - table["decision"].null_count, table["decision"].to_pylist().count(1)
    print(f"{options.out}: {plural(len(table), 'window')}, {n_answers} with an answer, {n_positive} positive")
    print(RESEARCH_USE)


def _monitor(options: argparse.Namespace) -> None:
    from kalemia.monitor.monitor_record import RecordMonitor
    from kalemia.monitor.potassium import read_known_values

    model, record = _open_model_and_record(options, is_growing=options.follow)
    known = read_known_values(Path(options.potassium), record.signal.started) if options.potassium else []
    monitor = RecordMonitor(Path(options.model), model, record, known, Path(options.out))
    print(monitor.follow() if options.follow else monitor.run())
    print(RESEARCH_USE)


def _open_model_and_record(options: argparse.Namespace, is_growing: bool) -> "tuple[Model, Record]":
    from kalemia.models.model import load_model
    from kalemia.monitor.assess_windows import use_one_thread
    from kalemia.monitor.windows import Record

    use_one_thread()
    model = load_model(options.model)
    lead = options.lead or model.config.lead
    return model, Record(Path(options.record), lead, _stated(options), is_growing)


def _stated(options: argparse.Namespace) -> "Stated":
    from kalemia.sources.signal_files import Stated, parse_rate

    try:
        return Stated(parse_rate(options.rate), options.unit, "--{}")
    except ValueError as error:
        raise UserError(f"--rate: {error}") from None


def _enroll(options: argparse.Namespace) -> None:
    from kalemia.enroll import enroll

    for line in enroll(options.model, options.recordings, options.work, options.registry, options.min_draws):
        print(line, flush=True)
    print(RESEARCH_USE)


def _registry_add(options: argparse.Namespace) -> None:
    from kalemia.models.registry import Registry

    print(f"{Registry(options.registry).add(options.model)}. {RESEARCH_USE}")


def _registry_list(options: argparse.Namespace) -> None:
    from kalemia.models.registry import Registry

    for line in align_columns(Registry(options.registry).rows()):
        print(line)
    print(RESEARCH_USE)


def _registry_show(options: argparse.Namespace) -> None:
    from kalemia.models.registry import Registry

    print(Registry(options.registry).card(options.name))
    print(RESEARCH_USE)


def _registry_verify(options: argparse.Namespace) -> None:
    from kalemia.models.registry import Registry

    registry = Registry(options.registry)
    models, faults = plural(len(registry.names()), "model"), list(registry.faults())
    for fault in faults:
        print(fault)
    if faults:
        raise UserError(f"{options.registry}: {plural(len(faults), 'file')} of {models} not as written")
    print(f"{models}, every file as it was written. {RESEARCH_USE}")


def _plan(options: argparse.Namespace) -> None:
    from kalemia.evaluation.claims.plan import plan_lines
    from kalemia.run_plan import run_plan_lines

    study = _read_study(options)
    if (options.patients is None) != (options.draws is None):
        raise UserError("plan: give both --patients and --draws, or neither to see what running the study takes")
    if options.patients is None:
        lines = run_plan_lines(study)
    else:
        lines = plan_lines(options.patients, options.draws, study.verdict, study.analyte.name)
    for line in lines:
        print(line)


def _report(options: argparse.Namespace) -> None:
    from kalemia.rebuild_report import rebuild_report

    print(rebuild_report(options.results, options.to))


def _check(options: argparse.Namespace) -> None:
    import logging

    from kalemia.check_study import check_lines

    logging.getLogger("kalemia.sources.signal_files").setLevel(logging.ERROR)  # the lines say it, too
    for line in check_lines(_read_study(options)):
        print(line, flush=True)


def _fetch(options: argparse.Namespace) -> None:
    import signal

    from kalemia.fetch_study import fetch_lines

    study = _read_study(options)
    before = signal.signal(signal.SIGINT, _stop_fetching)
    try:
        for line in fetch_lines(study, options.dry_run):
            print(line, flush=True)
    finally:
        signal.signal(signal.SIGINT, before)


def _stop_fetching(*_: object) -> None:
    """End at once, not when the requests under way have ended: what is fetched is kept, whole or as a part."""
    os.write(2, b"\nkalemia: stopped; what is fetched is kept, and the same command goes on\n")
    os._exit(130)


def _status(options: argparse.Namespace) -> None:
    import dataclasses

    from kalemia.core.config_files import SETTINGS_FILE, read_settings
    from kalemia.status import status_lines

    if options.results and not Path(options.results).is_dir():
        raise UserError(f"--results {options.results}: is not a folder; name the results of a study")
    is_finished = options.results and (Path(options.results) / SETTINGS_FILE).exists()
    study = read_settings(options.results) if is_finished else _read_study(options)
    if options.results:
        study = dataclasses.replace(study, results=options.results.rstrip("/"))
    for line in status_lines(study):
        print(line)
