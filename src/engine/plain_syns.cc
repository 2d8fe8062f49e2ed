#include "engine/plain_syns.h"

#include <utility>

namespace weir::engine {

void PlainSyns::keep(std::uint64_t opener, const RawPacket& packet) {
  if (packet.bytes.size() > kLongest) return;
  if (kept_.size() < most_) kept_.emplace_back();
  Kept& place = kept_[next_];
  next_ = (next_ + 1) % most_;
  place.opener = opener;
  place.taken = false;
  place.syn.bytes.assign(packet.bytes.begin(), packet.bytes.end());
  place.syn.packet = packet;
  place.syn.packet.bytes = {};
  place.syn.packet.stays = false;
}

std::vector<KeptPacket> PlainSyns::take(std::uint64_t opener) {
  std::vector<KeptPacket> out;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    Kept& each = kept_[(next_ + i) % kept_.size()];
    if (each.taken || each.opener != opener) continue;
    each.taken = true;
    out.push_back(std::move(each.syn));
  }
  return out;
}

}  // namespace weir::engine
