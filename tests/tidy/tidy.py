#!/usr/bin/env python3
"""The rules of the house, checked on the source tree: tidy.py ROOT. Prints FILE:LINE: WHAT, and fails if there is anything.

A rule is a function of a Tree that yields findings; RULES is all of them.
"""
import pathlib
import re
import sys

# The packet's way. A stage may include what stands before it; capture stands aside.
STAGES = ["base", "wire", "track", "reassemble", "inspect", "decide", "rewrite"]
PROGRAMS = ["sensor", "gateway", "proxy", "probe", "web"]
MAY_INCLUDE = {stage: set(STAGES[: i + 1]) for i, stage in enumerate(STAGES)}
MAY_INCLUDE |= {
    "capture": {"base", "capture"},
    "engine": {*STAGES, "engine"},
    "report": {*STAGES, "engine", "capture", "report"},
    "cluster": {*STAGES, "engine", "capture", "cluster"},
    **{program: {*STAGES, "engine", "capture", "report", "cluster", program} for program in PROGRAMS},
    "cli": {*STAGES, "engine", "capture", "report", "cluster", *PROGRAMS, "cli"},
}
# What takes time, bytes and everything else as parameters: a simulator runs the same code.
PURE = {*STAGES, "engine"}

CODE = (".h", ".cc")
LONGEST = 700

# Headers that bring input, output, a clock, threads or the system along.
IMPURE_HEADERS = re.compile(
    r"^(fstream|iostream|ostream|istream|sstream|iosfwd|cstdio|stdio\.h|print|syncstream|filesystem|thread|mutex|shared_mutex|condition_variable|future|semaphore|stop_token"
    r"|ctime|time\.h|random|csignal|signal\.h|cstdlib|stdlib\.h|unistd\.h|fcntl\.h|poll\.h|pthread\.h|netdb\.h|pcap.*|fmt/(ostream|os|chrono|std)\.h"
    r"|sys/.*|net/.*|netinet/.*|linux/.*|arpa/.*|spdlog/.*|boost/asio.*)$"
)
# inet_ntop writes an address as text and touches nothing else.
ALLOWED_HEADERS = {("base", "arpa/inet.h")}
IMPURE_CALLS = [
    (re.compile(r"::now\s*\("), "reads a clock: time comes in with the packet"),
    (re.compile(r"\b(gettimeofday|clock_gettime|localtime(_r)?|gmtime(_r)?|time\s*\(\s*(0|NULL|nullptr)\s*\))"), "reads a clock: time comes in with the packet"),
    (re.compile(r"\b(std::rand|rand|srand|random_device|drand48|arc4random|RAND_bytes)\b"), "makes chance of its own: seeds come in as parameters"),
    (re.compile(r"\b(f?printf|puts|fopen|std::(cout|cerr|clog|cin)|fmt::print)\b"), "writes or reads: results are told to an Observer"),
    (re.compile(r"\b(getenv|setenv|std::system|std::exit|abort_handler|std::thread|std::jthread|std::async)\b"), "touches the process: the core is a function of its parameters"),
    (re.compile(r"\bthread_local\b"), "keeps state outside of objects"),
]
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|not implemented")
BAD_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}
# Words of a place of work have no business in the project; spelt so that this file may be checked as well.
FOREIGN = re.compile(r"(?<![\w.])/(wo" + r"rk|fa" + r"rm|ho" + r"me|ro" + r"ot)/\w|\b(clau" + r"de|anthro" + r"pic|chat" + r"gpt|cop" + r"ilot|sub" + r"agent)\b", re.I)
CHECKED_FOR_WORDS = (*CODE, ".md", ".txt", ".cmake", ".py", ".sh", ".json", ".yaml", ".yml", "")


class Tree:
    """Paths relative to the root -> text. A test hands in a dict instead of a folder."""

    def __init__(self, files):
        self.files = files

    @classmethod
    def read(cls, root):
        skipped = re.compile(r"^(\.git|build[^/]*|\.cache|samples|LICENSE)(/|$)|__pycache__|^fuzz/corpus/|^ui/node_modules/")
        files = {}
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if skipped.search(name) or not path.is_file() or path.suffix not in CHECKED_FOR_WORDS:
                continue
            try:
                files[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
        return cls(files)

    def code(self, folders=("src",), tests=True):
        for name, text in self.files.items():
            if name.endswith(CODE) and name.split("/")[0] in folders and (tests or not is_test(name)):
                yield name, text


def is_test(name):
    return re.search(r"_test\.(cc|h)$", name) is not None


def stage_of(name):
    parts = name.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def without_comments(text):
    """The text with comments and string contents blanked, lines kept."""

    def blank(match):
        found = match.group(0)
        if found.startswith(("/*", "//")):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + " " * (len(found) - 2) + found[-1]

    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def includes_point_inwards(tree):
    for name, text in tree.code():
        stage = stage_of(name)
        if stage not in MAY_INCLUDE:
            yield name, 1, "stands in no folder of the house"
            continue
        for number, own, path in includes(text):
            if own and "/" not in path:
                yield name, number, f'"{path}": own headers are included by their path from src'
            elif own and path.split("/")[0] not in MAY_INCLUDE[stage]:
                yield name, number, f'{stage} may not include "{path}"'


def core_is_pure(tree):
    for name, text in tree.code(tests=False):
        stage = stage_of(name)
        if stage not in PURE:
            continue
        for number, own, path in includes(text):
            if not own and IMPURE_HEADERS.match(path) and (stage, path) not in ALLOWED_HEADERS:
                yield name, number, f"<{path}> in {stage}: the core does no input or output, reads no clock, starts no threads"
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            for pattern, why in IMPURE_CALLS:
                if pattern.search(line):
                    yield name, number, why


def core_keeps_no_globals(tree):
    """Static or namespace-level variables that can change: a shard could not run beside another."""
    function_static = re.compile(r"^\s+static\s+(?!constexpr|const\b|consteval|constinit\s+const|inline\s+const|_?assert)[\w:<>,\s&*]+?\b\w+\s*(=|\{[^}]*\}\s*;|;)")
    namespace_level = re.compile(r"^(inline\s+|static\s+|extern\s+)*(?!constexpr|const\b|using|namespace|template|struct|class|enum|union|return|typedef|friend|static_assert|extern|#)[A-Za-z_][\w:<>,*& ]*\s+\w+(\s*=[^=].*|\s*\{.*\})?;$")
    for name, text in tree.code(tests=False):
        if stage_of(name) not in PURE:
            continue
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            if "constexpr" in line or "constinit const" in line or re.match(r"\s*static\s+const\b", line) or "(" in line.split("=")[0]:
                continue
            if function_static.match(line) or namespace_level.match(line):
                yield name, number, "a variable outside of objects that can change"


def every_source_is_built(tree):
    """src is globbed, a folder a library; elsewhere a CMakeLists.txt nearby names the file, or globs its folder."""
    root = tree.files.get("CMakeLists.txt", "")
    for name, text in tree.code(("src", "tests", "fuzz", "bench")):
        if not name.endswith(".cc"):
            continue
        stage = stage_of(name)
        if stage is not None:
            if f"weir_stage({stage} " not in root and f"src/{stage}/*.cc" not in root:
                yield name, 1, f"src/{stage} is in no target of CMakeLists.txt"
            continue
        folder, found = name.rsplit("/", 1)[0], False
        while folder and not found:
            build = tree.files.get(f"{folder}/CMakeLists.txt", "")
            found = name.rsplit("/", 1)[1] in build or "*.cc" in build or name.rsplit("/", 1)[1].removesuffix(".cc") in re.findall(r"[\w-]+", build)
            folder = folder.rpartition("/")[0]
        if not found:
            yield name, 1, "no CMakeLists.txt builds it"


def every_header_is_used(tree):
    used = {path for _, text in tree.code(("src", "tests", "fuzz", "bench")) for _, own, path in includes(text) if own}
    for name, _ in tree.code():
        if name.endswith(".h") and name.removeprefix("src/") not in used:
            yield name, 1, "no one includes it"


def nothing_is_unfinished(tree):
    for name, text in tree.files.items():
        if name.endswith(".md"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if UNFINISHED.search(line) and not name.startswith("tests/tidy/"):
                yield name, number, "an unfinished mark: do it, or write it down as an issue"


def names_say_what_is_inside(tree):
    for name in tree.files:
        for part in name.split("/"):
            if part.split(".")[0].lower() in BAD_NAMES:
                yield name, 1, f"a name that says nothing: {part}"
                break


def files_are_small(tree):
    for name, text in tree.files.items():
        lines = text.count("\n")
        if name.endswith((*CODE, ".py")) and lines > LONGEST:
            yield name, LONGEST, f"has {lines} lines: it does more than one thing"


def folders_are_explained(tree):
    stages = {stage_of(name) for name, _ in tree.code()} - {None}
    for stage in sorted(stages):
        if f"src/{stage}/README.md" not in tree.files:
            yield f"src/{stage}", 1, "has no README.md: what does a packet get there, and what always holds?"


def headers_open_with_purpose(tree):
    for name, text in tree.code():
        if name.endswith(".h"):
            lines = text.splitlines()
            if not lines or not lines[0].startswith("//"):
                yield name, 1, "does not open with what it is for"
            if "#pragma once" not in lines:
                yield name, 1, "has no #pragma once"


def words_are_the_projects(tree):
    for name, text in tree.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if FOREIGN.search(line):
                yield name, number, "names a place or tool that is no part of the project"


RULES = [
    includes_point_inwards,
    core_is_pure,
    core_keeps_no_globals,
    every_source_is_built,
    every_header_is_used,
    nothing_is_unfinished,
    names_say_what_is_inside,
    files_are_small,
    folders_are_explained,
    headers_open_with_purpose,
    words_are_the_projects,
]


def check(tree):
    return [(rule.__name__, *finding) for rule in RULES for finding in rule(tree)]


def main():
    tree = Tree.read(pathlib.Path(sys.argv[1]))
    findings = check(tree)
    for rule, name, number, what in findings:
        print(f"{name}:{number}: {what} [{rule}]")
    print(f"{len(tree.files)} files, {len(RULES)} rules, {len(findings)} findings")
    return 1 if findings or len(tree.files) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
