// `weir`: a verb for each job.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "cli/process.h"
#include "cli/say.h"
#include "cli/verbs.h"

namespace {

using namespace weir::cli;

struct Verb {
  std::string_view name, arguments, job;
  int (*run)(std::span<const char* const>);  ///< nullptr: not part of this version
};

constexpr auto kVerbs = std::to_array<Verb>({
    {"inspect", "CAPTURE...", "read captures, rebuild every MPTCP connection, inspect it, report", inspect},
    {"sensor", "-i IFACE...", "the same, live and passive, on one or more interfaces", sensor},
    {"gateway", "[--config FILE]", "inline: policy, NAT translation of options, intrusion prevention", gateway},
    {"proxy", "", "edge proxy: terminates MPTCP and forwards over TCP or MPTCP", nullptr},
    {"probe", "TARGET...", "which sites speak MPTCP, and where on the path it is lost", probe},
    {"analyzer", "", "one member of the aggregation cluster", nullptr},
    {"inventory", "[--csv|--json]", "which hosts and services speak MPTCP, as the sensor has seen it", inventory},
    {"rules", "check FILE...", "says of each signature whether it is supported", rules},
    {"config", "check FILE...", "validates a configuration", config},
    {"policy", "test", "explains what the policy would do with a connection", policy},
});

std::string usage() {
  std::string text = "Usage: weir VERB [OPTION]...\n\nWeir reads, rebuilds and inspects Multipath TCP.\n\n";
  for (const Verb& verb : kVerbs) {
    text += fmt::format("  weir {:<22} {}{}\n", fmt::format("{} {}", verb.name, verb.arguments), verb.job, verb.run ? "" : " [not in this version]");
  }
  text += "\n  weir VERB --help         usage of a verb, with an example\n  weir --version           the version\n";
  text += "\nExample:\n  weir inspect --export-streams streams capture.pcap\n";
  return text;
}

int run(std::span<const char* const> arguments) {
  const std::string_view first = arguments.empty() ? "" : arguments.front();
  if (first == "--version" || first == "-V") {
    return show(fmt::format("weir {}\n", WEIR_VERSION));
  }
  if (first == "--help" || first == "-h" || first == "help") {
    return show(usage());
  }
  if (first.empty()) {
    std::fputs(usage().c_str(), stderr);
    return kBadUsage;
  }
  for (const Verb& verb : kVerbs) {
    if (verb.name != first) continue;
    if (verb.run) return verb.run(arguments.subspan(1));
    say(first, fmt::format("not part of this version ({})", WEIR_VERSION), "weir --help lists what is");
    return kBadUsage;
  }
  say(first, first.starts_with('-') ? "no such option" : "no such verb", "weir --help lists them");
  return kBadUsage;
}

}  // namespace

int main(int count, char** values) {
  fill_standard_descriptors();
  catch_signals();
  // The last resort: whatever the libraries below throw ends in a message and a status, not in a signal.
  try {
    return run(std::span<const char* const>(values, static_cast<std::size_t>(count)).subspan(count > 0 ? 1 : 0));
  } catch (const std::bad_alloc&) {
    say("memory", "there is not enough", "limits.memory_bytes in the configuration bounds what is held");
  } catch (const std::exception& error) {
    say("internal error", error.what(), "please report it with the command that led here");
  }
  return kNotDone;
}
