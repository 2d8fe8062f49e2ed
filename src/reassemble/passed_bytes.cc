#include "reassemble/passed_bytes.h"

#include <algorithm>
#include <cstring>

namespace weir::reassemble {

PassedBlock make_block(std::span<const std::byte> bytes) {
  auto block = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
  std::memcpy(block.get(), bytes.data(), bytes.size());
  return block;
}

PassedBytes::Entries::const_iterator PassedBytes::first_reaching(std::uint64_t position) const {
  if (entries_.empty() || entries_.rbegin()->second.end <= position) return entries_.end();
  auto it = entries_.upper_bound(position);
  if (it != entries_.begin() && std::prev(it)->second.end > position) --it;
  return it;
}

bool PassedBytes::differs(std::uint64_t position, std::span<const std::byte> bytes) const {
  const std::uint64_t end = position + bytes.size();
  for (auto it = first_reaching(position); it != entries_.end() && it->first < end; ++it) {
    const std::uint64_t from = std::max(position, it->first);
    const std::uint64_t to = std::min(end, it->second.end);
    const std::byte* const kept = it->second.block.get() + it->second.offset + (from - it->first);
    if (std::memcmp(kept, bytes.data() + (from - position), to - from) != 0) return true;
  }
  return false;
}

bool PassedBytes::covers(std::uint64_t begin, std::uint64_t end) const {
  for (auto it = first_reaching(begin); begin < end; ++it) {
    if (it == entries_.end() || it->first > begin) return false;
    begin = it->second.end;
  }
  return true;
}

bool PassedBytes::touches(std::uint64_t begin, std::uint64_t end) const {
  const auto it = first_reaching(begin);
  return it != entries_.end() && it->first < end;
}

PassedBlock PassedBytes::block_of(std::uint64_t begin, std::uint64_t end) const {
  if (begin >= end || !covers(begin, end)) return {};
  auto it = first_reaching(begin);
  if (it->second.end >= end) return {it->second.block, it->second.block.get() + it->second.offset + (begin - it->first)};
  auto block = std::make_shared_for_overwrite<std::byte[]>(end - begin);
  for (std::uint64_t at = begin; at < end; ++it) {
    const std::uint64_t to = std::min(end, it->second.end);
    std::memcpy(block.get() + (at - begin), it->second.block.get() + it->second.offset + (at - it->first), to - at);
    at = to;
  }
  return block;
}

// Mappings that passed are the same or apart, or say the same: so those whose bytes lie nearest to the new one's are the ones that it can touch.
PassedBytes::Agreement PassedBytes::agreement(const Mapping& m) const {
  Agreement found = Agreement::kApart;
  const auto look_at = [&](const Entry& entry) {
    const auto& known = entry.mapping;
    if (!known || known->position >= m.end() || m.position >= known->end()) return false;
    if (known->delta() != m.delta()) {
      found = Agreement::kContrary;
    } else if (known->position == m.position && known->length == m.length && known->checksum == m.checksum) {
      if (found == Agreement::kApart) found = Agreement::kSame;
    } else if (found != Agreement::kContrary) {
      found = Agreement::kParts;
    }
    return true;
  };
  const auto begin = entries_.lower_bound(m.position);
  auto it = begin;
  for (; it != entries_.end() && it->first < m.end(); ++it) look_at(it->second);
  // Behind and before: bytes apart, but their mappings may reach here.
  for (; it != entries_.end() && look_at(it->second); ++it) {
  }
  for (auto before = begin; before != entries_.begin() && look_at((--before)->second);) {
  }
  return found;
}

void PassedBytes::add(std::uint64_t position, std::uint64_t size, const PassedBlock& block, const std::optional<Mapping>& mapping) {
  const std::uint64_t end = position + size;
  std::uint64_t from = position;
  while (from < end) {
    const auto next = first_reaching(from);
    if (next != entries_.end() && next->first <= from) {
      from = next->second.end;
      continue;
    }
    const std::uint64_t to = next == entries_.end() ? end : std::min(end, next->first);
    entries_.emplace_hint(next, from, Entry{.end = to, .block = block, .offset = from - position, .mapping = mapping});
    held_bytes_ += to - from;
    from = to;
  }
}

PassedBytes::Entries::iterator PassedBytes::erase(Entries::iterator at) {
  held_bytes_ -= at->second.end - at->first;
  return entries_.erase(at);
}

void PassedBytes::acknowledged(std::uint64_t position) {
  while (!entries_.empty() && entries_.begin()->second.end <= position) erase(entries_.begin());
}

void PassedBytes::pop() { erase(entries_.begin()); }

}  // namespace weir::reassemble
