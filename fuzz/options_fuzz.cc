// One option 30: what parses comes back the same from what is emitted, and legality never crashes. The first octet selects
// version and carrier.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/bytes.h"
#include "wire/mptcp/parse.h"
#include "wire/tcp.h"

namespace {

using namespace weir;
using namespace weir::wire;
using namespace weir::wire::mptcp;

void require(bool holds) {
  if (!holds) std::abort();
}

bool same(const RemoveAddr& a, const RemoveAddr& b) { return std::ranges::equal(a.address_ids, b.address_ids); }
bool same(const Unknown& a, const Unknown& b) { return a.subtype == b.subtype && std::ranges::equal(a.bytes, b.bytes); }
template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}

bool equal(const Option& a, const Option& b) {
  return a.index() == b.index() && std::visit(
                                       [&]<class T>(const T& value) {
                                         const T* other = std::get_if<T>(&b);
                                         return other != nullptr && same(value, *other);
                                       },
                                       a);
}

void check_one(Bytes bytes, std::optional<std::uint8_t> version, Carrier carrier) {
  const auto option = parse_option(bytes);
  if (!option) return;
  check_legal(*option, bytes, version, carrier);
  ByteReader length(bytes);
  length.skip(1);
  std::vector<std::byte> space(length.u8());
  const std::size_t written = emit_option(*option, space);
  if (space.size() > 40) {
    require(written == 0);  // no option space has room for it
    return;
  }
  require(written == space.size());
  const auto again = parse_option(space);
  require(again && equal(*option, *again));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(std::as_bytes(std::span(data, size)));
  const std::uint8_t selector = in.u8();
  const auto version = selector % 3 == 2 ? std::nullopt : std::optional<std::uint8_t>(selector % 3);
  const auto carrier = static_cast<Carrier>(selector / 3 % 3);
  const std::vector<std::byte> bytes(in.rest().begin(), in.rest().end());
  check_one(bytes, version, carrier);
  for (OptionWalker walk(bytes); const auto option = walk.next(kOptionKind);) check_one(*option, version, carrier);
  return 0;
}
