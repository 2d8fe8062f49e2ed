// weir_bench_generate: captures to measure on, of any size, the same every time.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workloads.h"

namespace {

using weir::bench::TcpWriter;
using Numbers = std::vector<std::uint64_t>;

constexpr std::string_view kUsage =
    "usage: weir_bench_generate FILE WORKLOAD NUMBER...\n"
    "FILE may be -, standard output. Sizes are those of the file, in bytes. Workloads:\n"
    "  mptcp4 BYTES [CONNECTION]      MPTCP downloads over 4 subflows, of CONNECTION bytes each (32000000)\n"
    "  subflows N BYTES               the same over N subflows, in one connection\n"
    "  reorder DEPTH BYTES            over 2 subflows, segments in random order within blocks of DEPTH\n"
    "  plain BYTES [FLOWS]            plain TCP downloads, FLOWS at once (100)\n"
    "  connections N [PACKETS]        N small MPTCP connections at once, at least PACKETS packets\n"
    "  idle N                         N small MPTCP connections, one after the other, that stay open\n"
    "  mixed PACKETS CONNECTIONS      short and long MPTCP connections that come and go\n"
    "example: weir_bench_generate /tmp/big.pcap mptcp4 1000000000\n";

struct Workload {
  std::size_t least, most;  ///< numbers that it takes
  std::function<void(TcpWriter&, const Numbers&)> write;
};

const std::map<std::string_view, Workload>& workloads() {
  static const std::map<std::string_view, Workload> all{
      {"mptcp4", {1, 2, [](TcpWriter& out, const Numbers& n) { weir::bench::bulk_mptcp(out, n[0], 4, n.size() > 1 ? n[1] : 32'000'000); }}},
      {"subflows", {2, 2, [](TcpWriter& out, const Numbers& n) { weir::bench::bulk_mptcp(out, n[1], static_cast<unsigned>(n[0]), n[1]); }}},
      {"reorder", {2, 2, [](TcpWriter& out, const Numbers& n) { weir::bench::reordered_mptcp(out, n[1], n[0]); }}},
      {"plain", {1, 2, [](TcpWriter& out, const Numbers& n) { weir::bench::bulk_plain(out, n[0], n.size() > 1 ? n[1] : 100); }}},
      {"connections", {1, 2, [](TcpWriter& out, const Numbers& n) { weir::bench::concurrent_mptcp(out, n[0], n.size() > 1 ? n[1] : 0); }}},
      {"idle", {1, 1, [](TcpWriter& out, const Numbers& n) { weir::bench::idle_mptcp(out, n[0]); }}},
      {"mixed", {2, 2, [](TcpWriter& out, const Numbers& n) { weir::bench::mixed_mptcp(out, n[0], n[1]); }}},
  };
  return all;
}

std::optional<std::uint64_t> number(std::string_view word) {
  std::uint64_t value = 0;
  const auto [rest, fault] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (fault != std::errc{} || rest != word.data() + word.size() || value == 0) return std::nullopt;
  return value;
}

}  // namespace

int main(int count, char** words) {
  Numbers numbers;
  bool right = count >= 4;
  for (int i = 3; i < count && right; ++i) {
    const auto value = number(words[i]);
    right = value.has_value();
    numbers.push_back(value.value_or(0));
  }
  const auto workload = right ? workloads().find(words[2]) : workloads().end();
  if (workload == workloads().end() || numbers.size() < workload->second.least || numbers.size() > workload->second.most) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  try {
    weir::bench::PcapStream stream(words[1]);
    TcpWriter writer(stream);
    workload->second.write(writer, numbers);
    stream.finish();
    fmt::print(stderr, "{} packets, {} bytes\n", stream.packets(), stream.bytes());
  } catch (const std::exception& fault) {
    fmt::print(stderr, "weir_bench_generate: {}\n", fault.what());
    return 1;
  }
  return 0;
}
