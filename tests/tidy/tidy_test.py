#!/usr/bin/env python3
"""Hands tidy.py trees that break a rule, and such as come close to it: a rule that never fires is none."""
import unittest

import tidy

HEADER = "// What it is for.\n#pragma once\n"
GOOD = {
    "CMakeLists.txt": "weir_stage(base LINK fmt)\nweir_stage(wire LINK weir_base)\nweir_stage(report LINK weir_engine)\nfile(GLOB s src/cli/*.cc)\n",
    "src/base/README.md": "values\n",
    "src/base/seq.h": HEADER + "#include <cstdint>\nnamespace weir {\ninline constexpr int kOne = 1;\nstruct SeqNum {\n  int value = 0;\n};\n}\n",
    "src/wire/README.md": "views\n",
    "src/wire/tcp.h": HEADER + '#include "base/seq.h"\n',
    "src/wire/tcp.cc": '#include "wire/tcp.h"\n\nnamespace weir {\nconst int kTable[] = {1, 2};\nint parse(int now) { return kTable[now]; }  // not ::now()\n}\n',
    "src/report/README.md": "logs\n",
    "src/report/eve.cc": '#include <fstream>\n#include "wire/tcp.h"\n',
}


def rules_broken_by(**changes):
    files = dict(GOOD)
    for name, text in changes.pop("files", {}).items():
        files[name] = text
    return {rule for rule, *_ in tidy.check(tidy.Tree(files))}


class Tidy(unittest.TestCase):
    def assert_breaks(self, rule, files):
        self.assertEqual(rules_broken_by(files=files), {rule})

    def assert_core_breaks(self, rule, line):
        with self.subTest(line=line):
            self.assert_breaks(rule, {"src/wire/tcp.cc": f'#include "wire/tcp.h"\n{line}\n'})

    def assert_core_may(self, line):
        with self.subTest(line=line):
            self.assertEqual(rules_broken_by(files={"src/wire/tcp.cc": f'#include "wire/tcp.h"\n{line}\n'}), set())

    def test_a_good_tree(self):
        self.assertEqual(tidy.check(tidy.Tree(GOOD)), [])

    def test_includes(self):
        rule = "includes_point_inwards"
        self.assert_core_breaks(rule, '#include "track/keys.h"')
        self.assert_core_breaks(rule, '#include "capture/window.h"')
        self.assert_core_breaks(rule, '#include "tcp.h"')
        self.assert_breaks(rule, {"src/base/seq.h": GOOD["src/base/seq.h"] + '#include "wire/tcp.h"\n'})
        self.assert_breaks(rule, {"src/report/eve.cc": '#include "cli/main.h"\n'})
        self.assertIn(rule, rules_broken_by(files={"src/other/a.cc": "int a();\n"}))

    def test_clock_io_and_threads_in_the_core(self):
        rule = "core_is_pure"
        for line in (
            "#include <fstream>",
            "#include <thread>",
            "#include <unistd.h>",
            "#include <sys/socket.h>",
            "#include <arpa/inet.h>",
            "auto t() { return std::chrono::steady_clock::now(); }",
            "auto t() { return ::time(nullptr); }",
            "int r() { return rand(); }",
            'void p() { printf("%d", 1); }',
            'void p() { std::cerr << "oh"; }',
            "int f() { thread_local const int a = 1; return a; }",
        ):
            self.assert_core_breaks(rule, line)
        for line in (
            "#include <algorithm>",
            "// std::chrono::steady_clock::now() is for others",
            'const char* what() { return "printf("; }',
            "int f(int time) { return time; }",
            "void sprint(int);",
        ):
            self.assert_core_may(line)
        self.assertEqual(rules_broken_by(files={"src/wire/tcp_test.cc": "#include <fstream>\n"}), set(), "tests may")

    def test_globals_in_the_core(self):
        rule = "core_keeps_no_globals"
        for line in ("int counter = 0;", "static std::uint64_t packets;", "std::vector<int> seen{};", "int f() {\n  static int calls = 0;\n  return ++calls;\n}"):
            self.assert_core_breaks(rule, line)
        for line in ("constexpr int kA = 1;", "const int kB = 2;", "static const int kC = 3;", "int f();", "using A = int;", "struct S;", "return_type g(int a = 1);"):
            self.assert_core_may(line)

    def test_orphans(self):
        self.assert_breaks("every_source_is_built", {"fuzz/wire_fuzz.cc": "int a;\n"})
        self.assert_breaks("every_source_is_built", {"tests/x/a.cc": "int a;\n", "tests/x/CMakeLists.txt": "add_executable(b b.cc)\n"})
        self.assertEqual(rules_broken_by(files={"tests/x/a.cc": "int a;\n", "tests/x/CMakeLists.txt": "add_executable(a a.cc)\n"}), set())
        self.assert_breaks("every_source_is_built", {"src/track/keys.cc": "int keys();\n", "src/track/README.md": "\n"})
        self.assert_breaks("every_header_is_used", {"src/wire/left_over.h": HEADER})

    def test_marks_names_sizes_and_places(self):
        self.assert_core_breaks("nothing_is_unfinished", "// TO" + "DO: checksum")
        self.assert_core_breaks("nothing_is_unfinished", "// this is not " + "implemented")
        self.assert_breaks("names_say_what_is_inside", {"src/report/utils.cc": "int a();\n"})
        self.assert_breaks("names_say_what_is_inside", {"tests/common/README.md": "\n"})
        self.assert_core_breaks("files_are_small", "int a();\n" * 701)
        self.assert_breaks("folders_are_explained", {"src/cli/main.cc": "int main() {}\n"})
        self.assert_breaks("headers_open_with_purpose", {"src/base/seq.h": "#pragma once\n"})
        self.assert_breaks("headers_open_with_purpose", {"src/base/seq.h": "// Why.\n"})
        self.assert_breaks("words_are_the_projects", {"docs/a.md": "see /ho" + "me/someone/notes\n"})
        self.assertEqual(rules_broken_by(files={"docs/a.md": "docs/work/a and https://x.example/home/page\n"}), set())


if __name__ == "__main__":
    unittest.main()
