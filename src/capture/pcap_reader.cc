#include "capture/pcap_reader.h"

#include <algorithm>
#include <optional>
#include <string>

#include "capture/limits.h"
#include "capture/link_types.h"

namespace weir::capture {
namespace {

constexpr std::size_t kFileHeader = 24;
constexpr std::int64_t kSecond = 1'000'000'000;

struct Form {
  bool swapped;
  std::uint32_t record_header, time_unit_ns;
};

std::optional<Form> form_of(std::uint32_t magic) {
  for (const bool swapped : {false, true}) {
    switch (swapped ? std::byteswap(magic) : magic) {
      case 0xa1b2c3d4:
        return Form{swapped, 16, 1000};
      case 0xa1b23c4d:
        return Form{swapped, 16, 1};
      case 0xa1b2cd34:  // Kuznetzov's: eight more octets a record (interface, protocol, packet type)
        return Form{swapped, 24, 1000};
      default:
        break;
    }
  }
  return std::nullopt;
}

}  // namespace

PointId CookedPoints::of(std::span<const std::byte> packet, Source& source, std::string_view device) {
  constexpr std::uint32_t kIndexAt = 4;  // LINKTYPE_LINUX_SLL2: protocol 2, reserved 2, interface index 4, always big-endian
  if (packet.size() < kIndexAt + 4) return last_point_.value_or(source.points.whole(source.file));
  const auto index = load<std::uint32_t>(packet.data() + kIndexAt, std::endian::native == std::endian::little);
  if (last_point_ && index == last_index_) return *last_point_;
  const auto known = points_.find(index);
  if (known == points_.end()) {
    // Indices beyond the table's bound are not remembered: this map stays bounded as well.
    const bool full = source.points.full();
    const std::string number = std::to_string(index);
    const PointId point = source.points.interface(source.file, device.empty() ? number : std::string(device) + ":" + number);
    if (full && !points_.empty()) {
      source.points.count_shared();
      return point;
    }
    points_.emplace(index, point);
    last_point_ = point;
  } else {
    last_point_ = known->second;
  }
  last_index_ = index;
  return *last_point_;
}

bool PcapReader::recognises(const std::byte* magic) { return form_of(load<std::uint32_t>(magic, false)).has_value(); }

PcapReader::PcapReader(Source& source) : source_(source), window_(source.window), point_(source.points.whole(source.file)) {
  if (!window_.need(kFileHeader)) {
    source_.stopped(kFileHeader);
    return;
  }
  const std::byte* header = window_.at();
  const Form form = form_of(load<std::uint32_t>(header, false)).value_or(Form{});
  swapped_ = form.swapped;
  record_header_ = form.record_header;
  time_unit_ns_ = form.time_unit_ns;
  const auto major = load<std::uint16_t>(header + 4, swapped_);
  if (major != 2) {
    source_.fail(0, "is of pcap version " + std::to_string(major) + ", which Weir does not know", "version 2 is read");
    return;
  }
  // The upper bits say whether frames end in a check sum; IP's own lengths leave that out.
  const std::uint32_t link = load<std::uint32_t>(header + 20, swapped_) & 0x03ff'ffff;
  link_ = link_type_of(link);
  if (link_ == LinkType::kUnsupported) source_.unsupported_link = link;
  window_.skip(kFileHeader);
}

Status PcapReader::corrupt(std::uint32_t captured) {
  return source_.fail(window_.offset(), "holds a corrupt record: " + std::to_string(captured) + " octets captured", "what came before was read");
}

Status PcapReader::next(RawPacket& packet) {
  if (source_.ended) return Status::kEnd;
  if (!window_.need(record_header_)) return source_.stopped(window_.left() > 0 ? record_header_ : 0);
  const std::byte* record = window_.at();
  const auto captured = load<std::uint32_t>(record + 8, swapped_);
  const auto original = load<std::uint32_t>(record + 12, swapped_);
  if (window_.shortened()) [[unlikely]]
    return source_.stopped(record_header_);
  if (captured > kMaxCaptured) [[unlikely]]
    return corrupt(captured);
  if (!window_.need(record_header_ + captured)) [[unlikely]]
    return source_.stopped(record_header_ + captured);
  record = window_.at();
  const auto seconds = load<std::uint32_t>(record, swapped_);
  const auto fraction = load<std::uint32_t>(record + 4, swapped_);
  if ((captured | original | seconds | fraction) == 0) [[unlikely]]
    return source_.fail(window_.offset(), "holds zeros where a record should be", "space set aside and never written? What came before was read");
  packet.bytes = {record + record_header_, captured};
  packet.original_bytes = std::max(original, captured);
  packet.time_ns = std::int64_t{seconds} * kSecond + std::int64_t{fraction} * time_unit_ns_;
  packet.link = link_;
  packet.point = point_;
  packet.stays = window_.stays();
  if (link_ == LinkType::kLinuxSll2) packet.point = cooked_.of(packet.bytes, source_, {});
  if (link_ == LinkType::kUnsupported) ++source_.unsupported_packets;
  window_.fetch_ahead(record_header_ + captured);
  window_.skip(record_header_ + captured);
  return Status::kPacket;
}

}  // namespace weir::capture
