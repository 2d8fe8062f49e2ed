// The prober's feed: whatever the text, it is refused with a reason, or what was read is the same after it was written and read again.
#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include "decide/feed.h"
#include "decide/feed_index.h"

namespace {

using namespace weir::decide;

/// With the last line that belongs to it: a fuzzer finds no sum by itself.
std::string signed_off(std::string_view content) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> sum{};
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), sum.data());
  std::string text(content);
  fmt::format_to(std::back_inserter(text), "end\t{}\t", std::max<std::ptrdiff_t>(std::ranges::count(content, '\n') - 4, 0));
  for (const unsigned char octet : sum) fmt::format_to(std::back_inserter(text), "{:02x}", octet);
  return text + "\n";
}

void check(std::string_view text) {
  const auto feed = parse_feed(text);
  if (!feed) {
    if (feed.error().why.empty()) std::abort();
    return;
  }
  const auto again = parse_feed(serialise(*feed));
  if (!again || *again != *feed) std::abort();
  // A run merged with itself is itself.
  if (merged(*feed, *feed).entries.size() != feed->entries.size()) std::abort();
  const FeedIndex index(*feed);
  for (const FeedEntry& entry : feed->entries) {
    if (!index.find(entry.address, entry.port, {})) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  check(signed_off(text));
  return 0;
}
