#include "capture/pcapng_reader.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "capture/limits.h"
#include "capture/link_types.h"

namespace weir::capture {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d'0d0a;  // the same in either byte order
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kPacket = 2;  // obsolete
constexpr std::uint32_t kSimplePacket = 3;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrder = 0x1a2b'3c4d;

constexpr std::uint32_t kBlockHeader = 8;     // type, length
constexpr std::uint32_t kBlockOverhead = 12;  // and the length again
constexpr std::uint32_t kSectionBlock = 28;
constexpr std::uint32_t kInterfaceFixed = 16;
constexpr std::uint32_t kPacketFixed = 28;  // of enhanced and obsolete packet blocks, up to the data
constexpr std::uint32_t kSimpleFixed = 12;

constexpr std::uint16_t kOptionName = 2;
constexpr std::uint16_t kOptionResolution = 9;
constexpr std::uint16_t kOptionOffset = 14;

__extension__ using Wide = unsigned __int128;
constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

InterfaceClock InterfaceClock::of(std::uint8_t if_tsresol, std::int64_t if_tsoffset) {
  InterfaceClock clock{.multiply = 1, .divide = 1, .shift = 0, .offset_s = if_tsoffset};
  const unsigned exponent = if_tsresol & 0x7fU;
  if ((if_tsresol & 0x80U) != 0) {
    clock.multiply = kSecond;
    clock.shift = exponent;
  } else {
    for (unsigned n = exponent; n < 9; ++n) clock.multiply *= 10;
    for (unsigned n = 9; n < std::min(exponent, 28U); ++n) clock.divide *= 10;
    if (exponent > 28) clock.multiply = 0;  // 2^64 ticks are less than a nanosecond
  }
  return clock;
}

std::optional<TimeNs> InterfaceClock::time(std::uint64_t ticks) const {
  const Wide scaled = Wide{ticks} * multiply;
  const Wide ns = shift >= 128 ? Wide{0} : (divide == 1 ? scaled : scaled / divide) >> shift;
  if (ns > static_cast<Wide>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  std::int64_t offset = 0;
  std::int64_t time = 0;
  if (__builtin_mul_overflow(offset_s, kSecond, &offset) || __builtin_add_overflow(static_cast<std::int64_t>(ns), offset, &time) || time < 0)
    return std::nullopt;
  return time;
}

bool PcapngReader::recognises(const std::byte* magic) { return load<std::uint32_t>(magic, false) == kSectionHeader; }

std::optional<Status> PcapngReader::begin_block(Block& block) {
  if (closing_length_ != 0) {
    window_.skip(block_end_ - window_.offset());
    if (!window_.need(4)) return source_.stopped(4);
    if (u32(0) != closing_length_) return source_.fail(block_end_, "holds a corrupt block: its two lengths differ", "what came before was read");
    window_.skip(4);
    closing_length_ = 0;
  }
  if (!window_.need(kBlockHeader)) return source_.stopped(window_.left() > 0 ? kBlockHeader : 0);
  if (window_.shortened()) [[unlikely]]
    return source_.stopped(kBlockHeader);
  block.type = u32(0);
  if (block.type == kSectionHeader)
    if (const auto stop = begin_section()) return stop;
  block.length = u32(4);
  if (block.length < kBlockOverhead || block.length % 4 != 0)
    return source_.fail(window_.offset(), "holds a corrupt block: a length of " + std::to_string(block.length), "what came before was read");
  block_end_ = window_.offset() + block.length - 4;
  return std::nullopt;
}

std::optional<Status> PcapngReader::begin_section() {
  constexpr std::uint32_t kUpToVersion = 16;
  if (!window_.need(kUpToVersion)) return source_.stopped(kUpToVersion);
  const auto order = load<std::uint32_t>(window_.at() + 8, false);
  if (order != kByteOrder && std::byteswap(order) != kByteOrder)
    return source_.fail(window_.offset(), "holds a section without pcapng's byte order mark", "what came before was read");
  swapped_ = order != kByteOrder;
  if (u32(4) < kSectionBlock) return source_.fail(window_.offset(), "holds a corrupt section header: a length of " + std::to_string(u32(4)));
  if (u16(12) != 1)
    return source_.fail(window_.offset(), "is of pcapng version " + std::to_string(u16(12)) + ", which Weir does not know", "version 1 is read");
  interfaces_.clear();
  return std::nullopt;
}

void PcapngReader::declare_interface(const Block& block) {
  const std::uint32_t shown = std::min(block.length - 4, kMaxInterfaceBlock);
  if (block.length < kInterfaceFixed + 4) return source_.note(window_.offset(), "holds a corrupt interface description");
  if (!window_.need(shown)) return;  // what is due next says that the file is cut off
  if (interfaces_.size() >= kMaxInterfaces) return source_.note(window_.offset(), "declares more interfaces than Weir follows");
  Interface interface;
  interface.link_number = u16(8);
  interface.link = link_type_of(interface.link_number);
  interface.snap_length = u32(12);
  std::uint8_t resolution = 6;
  std::int64_t offset = 0;
  std::string name;
  for (std::size_t at = kInterfaceFixed; at + 4 <= shown;) {
    const std::uint16_t code = u16(at);
    const std::size_t length = u16(at + 2);
    const std::byte* value = window_.at() + at + 4;
    if (code == 0 || at + 4 + length > shown) break;
    if (code == kOptionName) {
      name.assign(reinterpret_cast<const char*>(value), length);
      name.erase(std::ranges::find(name, '\0'), name.end());
    }
    if (code == kOptionResolution && length == 1) resolution = std::to_integer<std::uint8_t>(*value);
    if (code == kOptionOffset && length == 8) offset = load<std::int64_t>(value, swapped_);
    at += 4 + (length + 3) / 4 * 4;
  }
  interface.clock = InterfaceClock::of(resolution, offset);
  interface.name = name.empty() ? std::to_string(interfaces_.size()) : name;
  const auto twins = static_cast<unsigned>(std::ranges::count(interfaces_, interface.name, &Interface::name));
  const auto known = known_.find({interface.name, twins});
  if (known != known_.end()) {
    interface.point = known->second;
  } else if (interface.link != LinkType::kLinuxSll2) {
    interface.shared_point = source_.points.full() && !known_.empty();
    interface.point = source_.points.interface(source_.file, interface.name);
    if (!interface.shared_point) known_.emplace(std::pair{interface.name, twins}, interface.point);
  }
  interfaces_.push_back(std::move(interface));
}

bool PcapngReader::give(Interface& interface, std::size_t data_at, std::uint32_t captured, std::uint32_t original, RawPacket& packet) {
  packet.bytes = {window_.at() + data_at, captured};
  packet.original_bytes = std::max(original, captured);
  packet.link = interface.link;
  packet.point = interface.point;
  packet.stays = window_.stays();
  if (interface.link == LinkType::kLinuxSll2) {
    packet.point = interface.cooked.of(packet.bytes, source_, interfaces_.size() > 1 ? std::string_view(interface.name) : std::string_view());
  }
  if (interface.shared_point) source_.points.count_shared();
  if (interface.link == LinkType::kUnsupported) {
    ++source_.unsupported_packets;
    if (!source_.unsupported_link) source_.unsupported_link = interface.link_number;
  }
  window_.skip(data_at + captured);
  return true;
}

bool PcapngReader::enhanced_packet(const Block& block, RawPacket& packet) {
  if (!window_.need(std::min(block.length, kPacketFixed))) return false;  // what is due next says that the file is cut off
  if (block.length < kPacketFixed + 4) {
    source_.note(window_.offset(), "holds a corrupt packet block");
    return false;
  }
  const std::size_t index = block.type == kPacket ? u16(8) : u32(8);
  const std::uint32_t captured = u32(20);
  if (captured > kMaxCaptured || captured > block.length - kPacketFixed - 4) {
    source_.note(window_.offset(),
                 "holds a corrupt packet block: " + std::to_string(captured) + " octets captured in a block of " + std::to_string(block.length));
    return false;
  }
  if (index >= interfaces_.size()) {
    source_.note(window_.offset(), "holds a packet of interface " + std::to_string(index) + ", which was not declared");
    return false;
  }
  Interface& interface = interfaces_[index];
  const auto time = interface.clock.time(std::uint64_t{u32(12)} << 32 | u32(16));
  if (!time) {
    source_.note(window_.offset(), "holds a packet of an impossible time");
    return false;
  }
  if (!window_.need(kPacketFixed + captured)) return false;
  packet.time_ns = last_time_ = *time;
  return give(interface, kPacketFixed, captured, u32(24), packet);
}

bool PcapngReader::simple_packet(const Block& block, RawPacket& packet) {
  if (!window_.need(std::min(block.length, kSimpleFixed))) return false;
  if (block.length < kSimpleFixed + 4 || interfaces_.empty()) {
    source_.note(window_.offset(), "holds a corrupt simple packet block");
    return false;
  }
  Interface& interface = interfaces_.front();
  const std::uint32_t original = u32(8);
  const std::uint32_t snap = interface.snap_length == 0 ? original : interface.snap_length;
  const std::uint32_t captured = std::min({original, snap, block.length - kSimpleFixed - 4});
  if (captured > kMaxCaptured) {
    source_.note(window_.offset(), "holds a corrupt simple packet block");
    return false;
  }
  if (!window_.need(kSimpleFixed + captured)) return false;
  packet.time_ns = last_time_;
  return give(interface, kSimpleFixed, captured, original, packet);
}

Status PcapngReader::next(RawPacket& packet) {
  while (!source_.ended) {
    Block block;
    if (const auto stop = begin_block(block)) return *stop;
    end_block(block);
    switch (block.type) {
      case kInterface:
        declare_interface(block);
        break;
      case kEnhancedPacket:
      case kPacket:
        if (enhanced_packet(block, packet)) return Status::kPacket;
        break;
      case kSimplePacket:
        if (simple_packet(block, packet)) return Status::kPacket;
        break;
      default:  // names, statistics, secrets, section headers (done), what others defined
        break;
    }
  }
  return Status::kEnd;
}

}  // namespace weir::capture
