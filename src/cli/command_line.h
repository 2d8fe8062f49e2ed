// The command line of a verb that takes packets and reports on them: what `weir inspect` and `weir sensor` have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/config_file.h"
#include "cli/inspect_options.h"

namespace weir::cli {

/// Purpose: declares options, then reads them. What the options point to must outlive it. All that is wrong is said.
class CommandLine {
 public:
  CommandLine(std::string verb, const char* about, const char* example);

  CLI::App& app() { return app_; }
  /// An option that takes a text, and refuses an empty one.
  void text(const char* name, std::optional<std::string>& into, const char* type, const char* help);
  /// --rules, --log, --export-*, --all-tcp and --checksums.
  void inspection(InspectOptions& options);
  /// The exit status where there is nothing more to do: help, wrong usage.
  std::optional<int> parse(std::span<const char* const> arguments);

 private:
  struct Text {
    const char* name;
    std::optional<std::string>* into;
    std::string given;
  };
  std::string verb_;
  CLI::App app_;
  std::deque<Text> texts_;  ///< a deque: the options point into it
  std::string checksums_ = "auto";
  engine::ChecksumPolicy* policy_ = nullptr;
};

/// Says why, and gives the exit status of wrong usage.
int refuse(std::string_view what, std::string_view why, std::string_view hint = {});

/// The configuration, or the exit status: its errors are said.
std::expected<Config, int> read_config(const std::string& path);
/// What the command line left open.
void apply(const Config& config, InspectOptions& options);

}  // namespace weir::cli
