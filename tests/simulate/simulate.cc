// simulate --seeds FROM-TO: the engine against as many simulated connections as one likes.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "engine_check.h"
#include "pcap_file.h"
#include "reference.h"

namespace {

constexpr std::string_view kUsage =
    "usage: simulate --seeds FROM[-TO] [--write DIR] [--reference] [--keep-going]\n"
    "  --write DIR    write the captures of the seed (one seed) as DIR/point-N.pcap, and say what it holds\n"
    "  --reference    check the simulator by a naive reading of the captures, without the engine\n"
    "  --keep-going   do not stop at the first seed that fails\n"
    "example: simulate --seeds 1-10000\n";

struct Options {
  std::uint64_t first = 0, last = 0;
  std::optional<std::string> folder;
  bool reference = false, keep_going = false;
};

std::optional<Options> parse(int count, char** words) {
  Options out;
  bool seeds = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--reference") {
      out.reference = true;
    } else if (word == "--keep-going") {
      out.keep_going = true;
    } else if (i + 1 < count && word == "--write") {
      out.folder = words[++i];
    } else if (i + 1 < count && word == "--seeds") {
      const char* end = words[i + 1] + std::strlen(words[i + 1]);
      auto [rest, fault] = std::from_chars(words[++i], end, out.first);
      out.last = out.first;
      if (fault == std::errc{} && rest != end && *rest == '-')
        std::tie(rest, fault) = [&] {
          auto r = std::from_chars(rest + 1, end, out.last);
          return std::pair{r.ptr, r.ec};
        }();
      if (fault != std::errc{} || rest != end || out.last < out.first) return std::nullopt;
      seeds = true;
    } else {
      return std::nullopt;
    }
  }
  if (!seeds || (out.folder && out.first != out.last)) return std::nullopt;
  return out;
}

std::vector<std::string> check(const weir::simulate::Simulated& simulated, bool by_reference) {
  if (!by_reference) return weir::simulate::check_engine(simulated);
  auto reference = weir::simulate::read_naively(simulated);
  if (reference.missing[0] + reference.missing[1] > 0)
    reference.faults.push_back(fmt::format("{} and {} bytes were never captured", reference.missing[0], reference.missing[1]));
  if (reference.streams != simulated.truth.streams) reference.faults.emplace_back("the streams differ");
  return reference.faults;
}

int run(const Options& options) {
  std::uint64_t failed = 0, packets = 0;
  for (std::uint64_t seed = options.first; seed <= options.last; ++seed) {
    const auto simulated = weir::simulate::simulate(seed);
    packets += simulated.packets.size();
    if (options.folder) {
      weir::simulate::write_captures(simulated, *options.folder);
      fmt::print("{}\n{} packets, connection {}\n", describe(simulated.scenario), simulated.packets.size(), simulated.truth.id);
    }
    const auto wrong = check(simulated, options.reference);
    if (!wrong.empty()) {
      ++failed;
      fmt::print("FAILED {}\n", describe(simulated.scenario));
      for (std::size_t i = 0; i < wrong.size() && i < 5; ++i) fmt::print("  - {}\n", wrong[i]);
      fmt::print("  replay: simulate --seeds {}    captures: simulate --seeds {} --write DIR\n", seed, seed);
      if (!options.keep_going) return 1;
    }
    if ((seed - options.first + 1) % 500 == 0) {
      fmt::print("seed {}: {} packets so far, {} seeds failed\n", seed, packets, failed);
      std::fflush(stdout);
    }
  }
  fmt::print("{} seeds, {} packets, {} failed\n", options.last - options.first + 1, packets, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  const auto options = parse(count, words);
  if (!options) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  try {
    return run(*options);
  } catch (const std::exception& fault) {
    fmt::print(stderr, "simulate: {}\n", fault.what());
    return 1;
  }
}
