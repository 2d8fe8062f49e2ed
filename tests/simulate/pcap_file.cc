#include "pcap_file.h"

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <stdexcept>

namespace weir::simulate {
namespace {

void put(std::ofstream& out, std::initializer_list<std::uint32_t> numbers) {
  for (const std::uint32_t number : numbers) {
    std::array<char, 4> octets{};
    std::memcpy(octets.data(), &number, octets.size());  // the magic number tells the order of octets
    out.write(octets.data(), octets.size());
  }
}

}  // namespace

void write_captures(const Simulated& simulated, const std::filesystem::path& folder) {
  constexpr std::uint32_t kMagicNanoseconds = 0xa1b23c4d, kVersion = 2 | 4U << 16U, kSnapLength = 262'144;
  std::filesystem::create_directories(folder);
  for (std::size_t i = 0; i < simulated.scenario.points.size(); ++i) {
    const auto name = folder / fmt::format("point-{}.pcap", i);
    std::ofstream out(name, std::ios::binary);
    put(out, {kMagicNanoseconds, kVersion, 0, 0, kSnapLength, static_cast<std::uint32_t>(simulated.scenario.points[i].link)});
    for (const CapturedPacket& packet : simulated.packets) {
      if (packet.point != i) continue;
      const auto size = static_cast<std::uint32_t>(packet.bytes.size());
      put(out, {static_cast<std::uint32_t>(packet.time_ns / kSecond), static_cast<std::uint32_t>(packet.time_ns % kSecond), size, size});
      out.write(reinterpret_cast<const char*>(packet.bytes.data()), size);
    }
    out.flush();
    if (!out) throw std::runtime_error(fmt::format("{}: cannot be written", name.string()));
  }
}

}  // namespace weir::simulate
