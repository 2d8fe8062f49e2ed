// `weir probe`: which targets speak MPTCP.
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "cli/probe_options.h"
#include "cli/probe_run.h"
#include "cli/probe_targets.h"
#include "cli/process.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "probe/output/json_lines.h"
#include "report/line_output.h"

namespace weir::cli {
namespace {

class JsonSink : public probe::output::Sink {
 public:
  explicit JsonSink(report::LineOutput& out) : out_(out) {}
  void take(const probe::output::Record& record) override {
    probe::output::append_json_line(lines_, record);
    ++count_;
    if (lines_.size() > (1U << 16)) flush();
  }
  void flush() {
    out_.submit(std::move(lines_), count_);
    lines_.clear();
    count_ = 0;
  }

 private:
  report::LineOutput& out_;
  std::string lines_;
  std::uint64_t count_ = 0;
};

}  // namespace

int probe(std::span<const char* const> arguments) {
  const auto options = parse_probe(arguments);
  if (!options) return options.error();
  const auto targets = collect_targets(*options, {}, stop_wanted);
  if (!targets) return targets.error();
  auto output = report::LineOutput::open(options->output.value_or("-"), report::LineOutput::Mode::kReplace);
  if (!output) return say(output.error()), kNotDone;
  JsonSink sink(*output);
  probe::targets::Order order(targets->space.size(), {.fingerprint = targets->space.fingerprint(), .seed = options->seed.value_or(random_seed()), .position = 0, .unfinished = {}});
  std::vector<std::uint64_t> open;
  ProbeRun run(*options, *targets, order, sink, stop_wanted);
  const int status = run.raw(open);
  sink.flush();
  if (const auto problem = output->close()) return say(*problem), kNotDone;
  return status;
}

}  // namespace weir::cli
