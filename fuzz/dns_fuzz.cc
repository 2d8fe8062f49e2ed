// DNS: the first octet says how the rest comes, as one datagram from a resolver to a client that has asked the same question.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "inspect/apps/dns.h"
#include "inspect/names.h"

namespace {

using namespace weir;
using namespace weir::inspect;

void require(bool holds) {
  if (!holds) std::abort();
}

IpAddress address(std::uint8_t last) {
  IpAddress out;
  out.octets = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last};
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data, size)).subspan(1);
  const std::vector<std::byte> octets(rest.begin(), rest.end());  // its own allocation: a read past the end is seen
  auto message = apps::parse_dns(octets);
  if (!message) return 0;
  require(message->name.size() <= 255);
  std::size_t addresses = 0;
  for (const auto& answer : message->answers) {
    require(answer.name.size() <= 255);
    addresses += answer.addresses.size();
  }
  require(message->answers.size() <= 64 && addresses * 4 <= octets.size());

  const IpAddress client = address(1), resolver = address(53);
  NameTable names(4);
  const bool asked = (data[0] & 1U) != 0;
  if (asked) {
    auto query = *message;
    query.response = false;
    names.datagram({client, resolver, 5'000, 53}, query, 1);
  }
  names.datagram({resolver, client, 53, 5'000}, *message, 2);
  require(names.size() <= 4 && (asked || names.size() == 0));
  for (const auto& answer : message->answers) {
    for (const IpAddress& server : answer.addresses) {
      const auto name = names.find(client, server, 2);
      require(!name || (asked && message->response && name->size() == message->name.size()));
    }
  }
  return 0;
}
