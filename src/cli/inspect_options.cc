#include "cli/inspect_options.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "cli/command_line.h"

namespace weir::cli {
namespace {

constexpr const char* kAbout =
    "Reads captures, rebuilds every MPTCP connection in them, and reports.\n"
    "CAPTURE: pcap or pcapng, \"-\" for standard input, also compressed (.gz, .zst).\n"
    "Several are merged by time, as capture points of one network.";

constexpr const char* kExample =
    "Exit status: 0 done; 1 something could not be read or written (the rest was); 2 wrong usage or configuration.\n"
    "\n"
    "Example:\n"
    "  weir inspect --rules local.rules --log eve.json --export-streams streams --export-pcap plain.pcap path1.pcap path2.pcap.gz";

/// Whether both paths lead to one file: reading a capture and writing over it would lose both.
bool same_file(const std::string& a, const std::string& b) {
  struct stat first{}, second{};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && S_ISREG(first.st_mode) && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::optional<int> refuse_contradictions(const InspectOptions& options) {
  if (std::ranges::count(options.captures, "-") > 1) return refuse("-", "standard input can be read only once");
  if (options.export_pcap == "-") return refuse("--export-pcap", "a capture does not go to standard output", "/dev/stdout with --quiet, if it is a pipe");
  const std::pair<const char*, const std::optional<std::string>*> outputs[] = {
      {"--log", &options.log}, {"--export-pcap", &options.export_pcap}, {"--report", &options.report}};
  for (const auto& [name, output] : outputs) {
    if (!*output) continue;
    for (const std::string& capture : options.captures)
      if (same_file(**output, capture)) return refuse(name, fmt::format("{} is also a capture to be read", **output), "name another file");
  }
  if (options.log && options.export_pcap && (*options.log == *options.export_pcap || same_file(*options.log, *options.export_pcap)) &&
      !options.log->starts_with("/dev/"))
    return refuse("--log", "the log and the capture cannot be one file");
  return std::nullopt;
}

}  // namespace

std::expected<InspectOptions, int> parse_inspect(std::span<const char* const> arguments) {
  InspectOptions options;
  std::string config;

  CommandLine line("inspect", kAbout, kExample);
  line.app().add_option("CAPTURE", options.captures, "captures, one a capture point")->type_name("")->required();
  line.inspection(options);
  line.text("--report", options.report, "FILE.html", "a page to look at: connections, plots, findings");
  line.app().add_flag("--quiet", options.quiet, "no summary");
  line.app().add_option("--config", config, "configuration; options on the command line win over it")->type_name("FILE");
  if (const auto status = line.parse(arguments)) return std::unexpected(*status);

  if (!config.empty()) {
    const auto read = read_config(config);
    if (!read) return std::unexpected(read.error());
    if (!options.log && read->eve.size() > 1) return std::unexpected(refuse("log.eve", "captures are inspected into one log", "name it with --log"));
    apply(*read, options);
  }
  if (const auto status = refuse_contradictions(options)) return std::unexpected(*status);
  return options;
}

}  // namespace weir::cli
