#include "subflow_receiver.h"

#include <algorithm>
#include <stdexcept>

#include "data_checksum.h"

namespace weir::simulate {

bool SubflowReceiver::take(std::uint64_t position, std::span<const std::byte> payload, const std::optional<SeenMapping>& mapping,
                           std::vector<MappedPiece>& out) {
  if (position + payload.size() > right_edge_) throw std::logic_error("simulator: a sender went beyond the window");
  if (position > next_) {
    Waiting& place = waiting_[position];
    if (payload.size() > place.bytes.size()) place = {payload, mapping};
    return false;
  }
  if (position + payload.size() <= next_) return false;
  consume(payload.subspan(next_ - position), mapping, out);
  while (!waiting_.empty() && waiting_.begin()->first <= next_) {
    const auto first = waiting_.begin();
    const std::uint64_t known = next_ - first->first;
    if (known < first->second.bytes.size()) consume(first->second.bytes.subspan(known), first->second.mapping, out);
    waiting_.erase(first);
  }
  return true;
}

void SubflowReceiver::consume(std::span<const std::byte> bytes, const std::optional<SeenMapping>& mapping, std::vector<MappedPiece>& out) {
  if (mapping && mapping->position + mapping->length > next_ && (mappings_.empty() || mappings_.back().position < mapping->position))
    mappings_.push_back(*mapping);
  while (!bytes.empty()) {
    while (!mappings_.empty() && mappings_.front().position + mappings_.front().length <= next_) mappings_.pop_front();
    if (mappings_.empty() || mappings_.front().position > next_) throw std::logic_error("simulator: data without a mapping");
    const SeenMapping& current = mappings_.front();
    const std::uint64_t into = next_ - current.position;
    const std::size_t size = std::min<std::size_t>(bytes.size(), current.length - into);
    held_.push_back({current.dsn + into, bytes.first(size)});
    next_ += size;
    bytes = bytes.subspan(size);
    if (current.checksum && next_ < current.position + current.length) continue;
    if (current.checksum) {
      std::vector<std::byte> whole;
      for (const MappedPiece& piece : held_) whole.insert(whole.end(), piece.bytes.begin(), piece.bytes.end());
      const std::uint16_t right = data_checksum(current.dsn, static_cast<std::uint32_t>(current.position), current.option_length, sum_data(whole));
      if (right != *current.checksum) throw std::logic_error("simulator: a DSS checksum does not verify");
    }
    out.insert(out.end(), held_.begin(), held_.end());
    held_.clear();
  }
}

bool SubflowReceiver::take_fin() {
  if (fin_taken_ || !fin_ || *fin_ != next_) return false;
  fin_taken_ = true;
  ++next_;
  return true;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> SubflowReceiver::waiting() const {
  if (waiting_.empty()) return std::nullopt;
  const auto& [position, first] = *waiting_.begin();
  return std::pair{position, position + first.bytes.size()};
}

}  // namespace weir::simulate
