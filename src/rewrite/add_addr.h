// ADD_ADDR on its way across the NAT, or taken out by policy: a packet in, the changed packet out (RFC 8684 §3.4.1).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/raw_packet.h"
#include "rewrite/address_translation.h"
#include "rewrite/tcp_place.h"

namespace weir::rewrite {

/// What is known of the connection that a packet is of.
struct AddAddrContext {
  std::uint64_t connection = 0;
  std::uint8_t version = 1;
  std::uint8_t sender = 0;                                    ///< 0: the client sends the packet, 1: the server
  std::optional<std::uint64_t> sender_key{}, receiver_key{};  ///< secrets; none: never seen
  std::uint16_t sender_port = 0;                              ///< on the first subflow, as seen here
  std::uint16_t peer_port = 0;                                ///< the same port as the peer knows it: another one where a NAT forwards ports
};

/// What became of one option, for log and counters.
struct AddAddrChange {
  enum class What : std::uint8_t {
    kTranslated,   ///< an offer tells the outside address
    kEcho,         ///< an echo tells the inside address
    kTakenOut,     ///< `why`
    kWrongHmac,    ///< taken out: translated, it would be made right
    kKeysUnknown,  ///< taken out: no HMAC can be made
    kEchoNoRoom,   ///< left as it is: its host will repeat the offer
  };
  What what = What::kTranslated;
  NoTranslation why = NoTranslation::kNotConcerned;  ///< of kTakenOut
  std::uint8_t address_id = 0;
  HostPort before, after;  ///< port 0: none
  bool repeated = false;   ///< of kTranslated: told before
};

struct AddAddrResult {
  std::vector<std::byte> packet;  ///< goes instead; empty: the packet goes as it is
  std::vector<AddAddrChange> changes;
  bool changed() const { return !packet.empty(); }
};

/// Whether a packet may hold ADD_ADDR or REMOVE_ADDR: a glance, for those many that do not. True where it is not plainly TCP in IP.
bool may_tell_addresses(Bytes packet);

/// Every ADD_ADDR of the packet: offers of inside addresses are told as outside ones, echoes of outside ones as what the inside had said, REMOVE_ADDR
/// gives mappings up and goes as it is. The orders of `translation` are to be carried out before the packet goes.
std::expected<AddAddrResult, Unchangeable> translate_add_addr(Bytes packet, const AddAddrContext& context, AddressTranslation& translation, TimeNs now);

}  // namespace weir::rewrite
