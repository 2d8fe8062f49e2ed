#include "cli/say.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "report/write_all.h"

namespace weir::cli {
namespace {

thread_local Heard* listener = nullptr;

void write_line(std::string line) {
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  line.insert(0, "weir: ") += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void say(std::string_view what, std::string_view why, std::string_view hint) {
  std::string line(what);
  line.append(": ").append(why);
  if (!hint.empty()) line.append(" (").append(hint).append(")");
  if (listener != nullptr) listener->take(line);
  write_line(std::move(line));
}

void say(const report::Problem& problem) {
  if (!problem.quiet) say(problem.what, problem.why);
}

void tell(std::string_view line) { write_line(std::string(line)); }

int show(std::string_view text) {
  if (report::write_all(STDOUT_FILENO, text)) return kDone;
  return say(report::system_problem("standard output", errno)), kNotDone;
}

Heard::Heard() { listener = this; }
Heard::~Heard() { listener = nullptr; }

void Heard::take(std::string_view line) {
  const std::string_view kept = line.substr(0, kMostLineBytes);
  if (lines_.size() < kMostLines) {
    lines_.emplace_back(kept);
  } else {
    lines_.back() = kept;
    ++left_out_;
  }
}

}  // namespace weir::cli
