#include "cli/command_line.h"

#include <fmt/format.h>

#include <map>
#include <utility>
#include <vector>

#include "cli/say.h"

namespace weir::cli {

CommandLine::CommandLine(std::string verb, const char* about, const char* example) : verb_(std::move(verb)), app_(about, "weir " + verb_) {
  app_.footer(example);
  app_.get_formatter()->column_width(30);
}

void CommandLine::text(const char* name, std::optional<std::string>& into, const char* type, const char* help) {
  Text& entry = texts_.emplace_back(Text{.name = name, .into = &into, .given = {}});
  app_.add_option(name, entry.given, help)->type_name(type);
}

void CommandLine::inspection(InspectOptions& options) {
  app_.add_option("--rules", options.rules, "signatures in Suricata's language: a file, or a folder's *.rules")->type_name("FILE|DIR")->allow_extra_args(false);
  text("--log", options.log, "FILE|-", "EVE JSON lines; \"-\": to standard output, and nothing else there; unix:PATH: to a socket");
  text("--export-pcap", options.export_pcap, "FILE", "all packets, every MPTCP connection as one plain TCP flow");
  text("--export-streams", options.export_streams, "DIR", "the rebuilt bytes: DIR/ID.toserver and DIR/ID.toclient");
  text("--export-files", options.export_files, "DIR", "files out of HTTP: DIR/SHA256");
  app_.add_flag("--all-tcp", options.all_tcp, "inspect plain TCP, too");
  app_.add_option("--checksums", checksums_, "which TCP checksums a segment may have (default: auto)")->type_name("auto|verify|ignore");
  policy_ = &options.checksums;
}

std::optional<int> CommandLine::parse(std::span<const char* const> arguments) {
  static const std::map<std::string, engine::ChecksumPolicy> kPolicies{
      {"auto", engine::ChecksumPolicy::kAuto}, {"verify", engine::ChecksumPolicy::kVerify}, {"ignore", engine::ChecksumPolicy::kIgnore}};
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
  try {
    app_.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return show(app_.help());
  } catch (const CLI::ParseError& error) {
    return refuse(verb_, error.what(), fmt::format("see weir {} --help", verb_));
  }
  for (const Text& entry : texts_) {
    if (app_.count(entry.name) == 0) continue;
    if (entry.given.empty()) return refuse(entry.name, "needs a name that is not empty");
    *entry.into = entry.given;
  }
  if (policy_ == nullptr) return std::nullopt;
  const auto policy = kPolicies.find(checksums_);
  if (policy == kPolicies.end()) return refuse("--checksums", fmt::format("'{}' is none of auto, verify, ignore", checksums_));
  *policy_ = policy->second;
  return std::nullopt;
}

int refuse(std::string_view what, std::string_view why, std::string_view hint) {
  say(what, why, hint);
  return kBadUsage;
}

std::expected<Config, int> read_config(const std::string& path) {
  auto config = load_config(path);
  if (config) return *std::move(config);
  say_errors(path, config.error());
  return std::unexpected(kBadUsage);
}

void apply(const Config& config, InspectOptions& options) {
  options.limits = config.limits;
  if (!options.log && config.eve.size() == 1) {
    options.log = config.eve.front();
    options.log_mode = report::LineOutput::Mode::kAppend;  // the place of a standing log: others may have written there
  }
  if (options.rules.empty()) options.rules = config.rules;
  options.variables = config.variables;
  if (config.local) options.local = *config.local;
}

}  // namespace weir::cli
