#include "cli/inspect_options.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <map>

#include "cli/config_file.h"
#include "cli/say.h"

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

int refuse(std::string_view what, std::string_view why, std::string_view hint = {}) {
  say(what, why, hint);
  return kBadUsage;
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

std::optional<int> apply_config(const std::string& path, InspectOptions& options) {
  const auto config = load_config(path);
  if (!config) {
    say_errors(path, config.error());
    return kBadUsage;
  }
  options.limits = config->limits;
  if (!options.log && config->eve) {
    options.log = config->eve;
    options.log_mode = report::LineOutput::Mode::kAppend;  // the place of a standing log: others may have written there
  }
  if (options.rules.empty()) options.rules = config->rules;
  options.variables = config->variables;
  return std::nullopt;
}

}  // namespace

std::expected<InspectOptions, int> parse_inspect(std::span<const char* const> arguments) {
  static const std::map<std::string, engine::ChecksumPolicy> kPolicies{
      {"auto", engine::ChecksumPolicy::kAuto}, {"verify", engine::ChecksumPolicy::kVerify}, {"ignore", engine::ChecksumPolicy::kIgnore}};
  InspectOptions options;
  std::string log, pcap, streams, files, report, config, checksums = "auto";

  CLI::App app(kAbout, "weir inspect");
  app.footer(kExample);
  app.get_formatter()->column_width(30);
  const auto value = [&](const char* name, std::string& into, const char* type, const char* help) { return app.add_option(name, into, help)->type_name(type); };
  app.add_option("CAPTURE", options.captures, "captures, one a capture point")->type_name("")->required();
  app.add_option("--rules", options.rules, "signatures in Suricata's language: a file, or a folder's *.rules")->type_name("FILE|DIR")->allow_extra_args(false);
  value("--log", log, "FILE|-", "EVE JSON lines; \"-\": to standard output, and nothing else there; unix:PATH: to a socket");
  value("--export-pcap", pcap, "FILE", "the capture with every MPTCP connection as one plain TCP flow");
  value("--export-streams", streams, "DIR", "the rebuilt bytes: DIR/ID.toserver and DIR/ID.toclient");
  value("--export-files", files, "DIR", "files out of HTTP: DIR/SHA256");
  value("--report", report, "FILE.html", "a page to look at: connections, plots, findings");
  app.add_flag("--all-tcp", options.all_tcp, "inspect plain TCP, too");
  value("--checksums", checksums, "auto|verify|ignore", "which TCP checksums a segment may have (default: auto)");
  app.add_flag("--quiet", options.quiet, "no summary");
  value("--config", config, "FILE", "configuration; options on the command line win over it");

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return std::unexpected(kDone);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(refuse("inspect", error.what(), "see weir inspect --help"));
  }
  for (const auto& [name, text, into] : {std::tuple{"--log", &log, &options.log},
                                         {"--export-pcap", &pcap, &options.export_pcap},
                                         {"--export-streams", &streams, &options.export_streams},
                                         {"--export-files", &files, &options.export_files},
                                         {"--report", &report, &options.report}}) {
    if (!text->empty()) {
      *into = *text;
    } else if (app.count(name) > 0) {
      return std::unexpected(refuse(name, "needs a name that is not empty"));
    }
  }
  const auto policy = kPolicies.find(checksums);
  if (policy == kPolicies.end()) return std::unexpected(refuse("--checksums", fmt::format("'{}' is none of auto, verify, ignore", checksums)));
  options.checksums = policy->second;

  if (!config.empty())
    if (const auto status = apply_config(config, options)) return std::unexpected(*status);
  if (const auto status = refuse_contradictions(options)) return std::unexpected(*status);
  return options;
}

}  // namespace weir::cli
