#include "inspect/match/compact.h"

#include <algorithm>
#include <cstring>

namespace weir::inspect::match {
namespace {

// A part of bytes_like(): its length and, in the two lowest bits, what it is.
enum Part : std::uint8_t { kAsIs, kZeros, kCopied };
constexpr std::size_t kShortestRun = 3;  // of zeros; a shorter one costs as much as it saves
constexpr std::size_t kShortestCopy = 4;
constexpr std::size_t kReferenceBytes = 256;  // at its end: where a scanner's own history is

std::size_t zeros_at(std::span<const std::byte> bytes) {
  return static_cast<std::size_t>(std::ranges::find_if(bytes, [](std::byte b) { return b != std::byte{0}; }) - bytes.begin());
}

struct Copy {
  std::size_t at = 0, size = 0;
};

Copy longest_copy(std::span<const std::byte> bytes, std::span<const std::byte> reference) {
  Copy best;
  for (std::size_t at = 0; at + std::max(best.size + 1, kShortestCopy) <= reference.size(); ++at) {
    const void* const found = std::memchr(reference.subspan(at).data(), std::to_integer<int>(bytes.front()), reference.size() - at);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::byte*>(found) - reference.data());
    const auto part = reference.subspan(at);
    const auto size = static_cast<std::size_t>(std::ranges::mismatch(bytes, part).in1 - bytes.begin());
    if (size > best.size) best = {at, size};
  }
  return best.size < kShortestCopy ? Copy{} : best;
}

std::span<const std::byte> end_of(std::span<const std::byte> reference) { return reference.last(std::min(reference.size(), kReferenceBytes)); }

}  // namespace

void CompactWriter::bytes_like(std::span<const std::byte> value, std::span<const std::byte> reference) {
  reference = end_of(reference);
  number(value.size());
  const auto part = [&](std::size_t size, Part what) { number(size << 2U | what); };
  std::size_t as_is = 0;  // at the front of what is left
  const auto flush = [&] {
    if (as_is == 0) return;
    part(as_is, kAsIs);
    out_.insert(out_.end(), value.begin(), value.begin() + static_cast<std::ptrdiff_t>(as_is));
    value = value.subspan(as_is);
    as_is = 0;
  };
  while (as_is < value.size()) {
    const auto here = value.subspan(as_is);
    if (const std::size_t zeros = zeros_at(here); zeros >= kShortestRun) {
      flush();
      part(zeros, kZeros);
      value = value.subspan(zeros);
    } else if (const Copy copy = longest_copy(here, reference); copy.size != 0) {
      flush();
      part(copy.size, kCopied);
      number(copy.at);
      value = value.subspan(copy.size);
    } else {
      ++as_is;
    }
  }
  flush();
}

std::uint8_t CompactReader::octet() {
  if (rest_.empty()) {
    ok_ = false;
    return 0;
  }
  const auto value = std::to_integer<std::uint8_t>(rest_.front());
  rest_ = rest_.subspan(1);
  return value;
}

std::uint64_t CompactReader::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t next = octet();
    value |= static_cast<std::uint64_t>(next & 0x7fU) << shift;
    if ((next & 0x80U) == 0) break;
  }
  return value;
}

std::span<const std::byte> CompactReader::bytes() {
  const std::uint64_t size = number();
  if (size > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const auto taken = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

std::vector<std::byte> CompactReader::bytes_like(std::span<const std::byte> reference) {
  reference = end_of(reference);
  const std::uint64_t size = number();
  std::vector<std::byte> out;
  while (ok_ && out.size() < size) {
    const std::uint64_t part = number();
    const std::uint64_t length = part >> 2U;
    std::span<const std::byte> from;
    if ((part & 3U) == kAsIs) {
      from = rest_;
    } else if ((part & 3U) == kCopied) {
      from = reference.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(number(), reference.size())));
    }
    const bool zeros = (part & 3U) == kZeros;
    if (length == 0 || length > size - out.size() || size > CompactWriter::kMostBytes || (!zeros && length > from.size())) {
      ok_ = false;
      break;
    }
    const auto n = static_cast<std::size_t>(length);
    if (zeros) {
      out.resize(out.size() + n);
    } else {
      out.insert(out.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(n));
      if ((part & 3U) == kAsIs) rest_ = rest_.subspan(n);
    }
  }
  return out;
}

}  // namespace weir::inspect::match
