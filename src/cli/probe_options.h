// What `weir probe` is asked to do.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::cli {

struct ProbeOptions {
  std::vector<std::string> targets;
  std::vector<std::string> lists;       ///< files of targets, "-": standard input
  std::vector<std::string> categories;  ///< NAME=FILE
  std::vector<std::uint16_t> ports{443, 80};
  std::optional<std::string> exclude;

  bool raw = false, trace = false;
  unsigned tries = 4;
  unsigned timeout_ms = 0;  ///< 0: the mode's own
  double rate = 0;          ///< a second; 0: the mode's own
  double network_rate = 100;
  std::size_t in_flight = 0;  ///< 0: the mode's own
  std::optional<std::string> interface;
  std::vector<std::string> sources, gateways;
  std::string data = "HEAD / HTTP/1.0\r\nUser-Agent: weir-probe\r\n\r\n";
  unsigned grace_ms = 200;
  unsigned most_hops = 30;
  std::optional<std::string> dns;

  std::optional<std::string> output, csv, nft_set, feed, report, state, previous;
  bool quiet = false;
  std::optional<std::uint64_t> seed;
  unsigned watch_seconds = 0;      ///< 0: once
  std::vector<std::string> learn;  ///< EVE logs whose DNS records name targets
};

/// The options, or the exit status where there is nothing more to do (help, wrong usage): all is said already.
std::expected<ProbeOptions, int> parse_probe(std::span<const char* const> arguments);

}  // namespace weir::cli
