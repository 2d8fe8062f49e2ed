#include "cli/probe_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <system_error>

#include "cli/command_line.h"
#include "cli/say.h"
#include "probe/raw/packets.h"
#include "probe/targets/target_text.h"

namespace weir::cli {
namespace {

constexpr const char* kAbout =
    "Finds out which targets speak MPTCP, in which version, and which only seem to. A target is a name, an address or a prefix,\n"
    "with :PORT or without. By default the kernel's own MPTCP makes the connections; --raw asks by packets of its own, is much\n"
    "faster, and tells mirrors from speakers. Probe only networks whose owners agree.";

constexpr const char* kExample =
    "A SIGINT ends it with all results written, and exit status 1; with --state the same command goes on where it was.\n"
    "Exit status: 0 done; 1 not done, or not wholly; 2 wrong usage.\n"
    "\n"
    "Example:\n"
    "  weir probe --raw --list sites.txt --feed /var/lib/weir/probe.feed --output results.json";

/// Refuses, in words, what is no number within the bounds.
CLI::Validator whole(std::uint64_t lowest, std::uint64_t highest) {
  return {[lowest, highest](std::string& text) -> std::string {
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error == std::errc() && end == text.data() + text.size() && value >= lowest && value <= highest) return {};
            return fmt::format("'{}' is no whole number from {} to {}", text, lowest, highest);
          },
          ""};
}

/// A number that may have a fraction.
CLI::Validator rate(bool zero, const char* unit) {
  return {[zero, unit](std::string& text) -> std::string {
            double value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value) && (value > 0 || (zero && value == 0))) return {};
            return fmt::format("'{}' is no number of {} a second{}", text, unit, zero ? "" : " above 0");
          },
          ""};
}

/// Results that can be read again when the run goes on.
bool in_a_file(const std::optional<std::string>& output) { return output && *output != "-" && !output->starts_with("unix:"); }

std::optional<int> check(const ProbeOptions& options) {
  if (options.targets.empty() && options.lists.empty() && options.categories.empty() && options.learn.empty())
    return refuse("probe", "no target is named", "a name, an address, a prefix, or --list FILE");
  if (options.data.empty() || options.data.size() > probe::raw::kLongestData) return refuse("--data", "has 1 to 512 octets");
  if (options.trace && !options.raw) return refuse("--trace", "is a part of raw mode", "--raw --trace");
  if (options.dns) {
    const auto server = probe::targets::parse_target(*options.dns);
    if (!server || !server->prefix || server->prefix->bits != 128 || options.dns->find('/') != std::string::npos)
      return refuse("--dns", fmt::format("'{}' is no ADDRESS or ADDRESS:PORT", *options.dns));
  }
  if (options.watch_seconds == 0 && !options.learn.empty()) return refuse("--learn", "is a part of watching: the names of each round", "--watch SECONDS");
  if (options.state && (options.nft_set || options.report) && !in_a_file(options.output))
    return refuse("--state", "a run that goes on tells --nft-set and --report of its first part by the results in a file", "--output FILE");
  if (options.watch_seconds != 0 && options.state) return refuse("--state", "is for a run that ends; --watch begins anew each time");
  return std::nullopt;
}

}  // namespace

std::expected<ProbeOptions, int> parse_probe(std::span<const char* const> arguments) {
  ProbeOptions o;
  CommandLine line("probe", kAbout, kExample);
  CLI::App& app = line.app();
  app.add_option("TARGET", o.targets, "name, address or prefix, each with :PORT or without");
  app.add_option("--list", o.lists, "a file of targets, one a line; \"-\": standard input; may be repeated")->type_name("FILE|-")->allow_extra_args(false);
  app.add_option("--category", o.categories, "the same, and its name stands with the results; may be repeated")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
  app.add_option("--port", o.ports, "of targets that have none of their own; may be repeated (default: 443 and 80)")
      ->type_name("PORT")
      ->check(whole(1, 65'535))
      ->allow_extra_args(false);
  line.text("--exclude", o.exclude, "FILE", "prefixes that nothing is sent to, one a line; a must for more than 65,536 addresses");
  line.text("--dns", o.dns, "ADDRESS[:PORT]", "the server that names are asked of (default: the system's)");

  auto* raw = app.add_flag("--raw", o.raw, "packets of its own instead of the kernel's connections (CAP_NET_RAW, CAP_NET_ADMIN)");
  app.add_flag("--trace", o.trace, "raw: where on the path MPTCP is lost, of targets that answer without it or not at all");
  app.add_option("-i,--interface", o.interface, "raw: the interface to probe by (default: each target's own)")->type_name("IFACE");
  app.add_option("--source", o.sources, "raw: speak from this address; one that no host has is answered for")->type_name("ADDRESS")->allow_extra_args(false);
  app.add_option("--gateway", o.gateways, "raw: the next hop to what is not on its link (default: the routes' own)")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  app.add_option("--rate", o.rate, "packets a second; connect: connections (default: raw 10000, connect 50)")->type_name("N")->check(rate(false, "packets"));
  app.add_option("--network-rate", o.network_rate, "the same to one /24 or IPv6 /48; 0: no limit (default: 100)")->type_name("N")->check(rate(true, "packets"));
  app.add_option("--tries", o.tries, "of each step, connect: of a target whose SYN was lost; 1 to 4 (default: 4)")->type_name("N")->check(whole(1, 4));
  app.add_option("--timeout-ms", o.timeout_ms, "of a try (default: raw 1000, connect 2900)")->type_name("N")->check(whole(1, 3'600'000));
  app.add_option("--in-flight", o.in_flight, "targets at once (default: raw 131072, connect 200)")->type_name("N")->check(whole(1, 1 << 24));
  auto* grace = app.add_option("--grace-ms", o.grace_ms, "connect: until the subflows are counted (default: 200)")->type_name("N")->check(whole(0, 3'600'000));
  auto* hops = app.add_option("--hops", o.most_hops, "trace: the longest path, 1 to 60 (default: 30)")->type_name("N")->check(whole(1, 60));
  auto* data = app.add_option("--data", o.data, "raw: what must be acknowledged (default: an HTTP HEAD that names weir-probe)")->type_name("TEXT");

  line.text("--output", o.output, "FILE|-", "JSON lines, one a result (default: \"-\" unless another output is named)");
  line.text("--csv", o.csv, "FILE", "the results as comma-separated values");
  line.text("--nft-set", o.nft_set, "FILE", "nftables sets of the speakers' addresses and ports, for nft -f");
  line.text("--feed", o.feed, "FILE", "merge the results into this feed, which weir gateway follows");
  line.text("--report", o.report, "FILE.html", "a summary to look at");
  line.text("--previous", o.previous, "FILE", "results of an earlier run (JSON lines): the summary tells what has changed");
  line.text("--state", o.state, "FILE", "kept while running; with a file that is there the run goes on where it was");
  std::uint64_t seed = 0;
  auto* with_seed = app.add_option("--seed", seed, "of the order of the targets (default: by chance)")->type_name("N")->check(whole(0, ~std::uint64_t{0}));
  app.add_option("--watch", o.watch_seconds, "again every so many seconds, until ended")->type_name("SECONDS")->check(whole(1, 366UL * 86'400));
  app.add_option("--learn", o.learn, "watch: names out of the dns and tls records of this EVE log; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_flag("--quiet", o.quiet, "neither progress nor summary");
  if (const auto status = line.parse(arguments)) return std::unexpected(*status);
  if (with_seed->count() > 0) o.seed = seed;
  if (raw->count() == 0 && (o.interface || !o.sources.empty() || !o.gateways.empty()))
    return std::unexpected(refuse("probe", "-i, --source and --gateway are parts of raw mode", "--raw"));
  if (!o.raw && data->count() > 0) return std::unexpected(refuse("--data", "is a part of raw mode", "--raw"));
  if (!o.trace && hops->count() > 0) return std::unexpected(refuse("--hops", "is a part of a trace", "--raw --trace"));
  if (o.raw && grace->count() > 0) return std::unexpected(refuse("--grace-ms", "is a part of connect mode", "without --raw"));
  if (const auto status = check(o)) return std::unexpected(*status);
  if (!o.output && !o.csv && !o.nft_set && !o.feed && !o.report) o.output = "-";
  return o;
}

}  // namespace weir::cli
