// Who speaks MPTCP, as the engine sees it: the input of an inventory. Values only.
#pragma once

#include <cstdint>
#include <optional>

#include "base/endpoints.h"
#include "base/raw_packet.h"

namespace weir::inspect {

struct MptcpUse {
  enum class What : std::uint8_t {
    kAgreed,      ///< MP_CAPABLE both ways
    kSeen,        ///< both ends speak it: subflows or data of a connection whose beginning was not seen
    kRefused,     ///< the client offered it, and was answered without
    kRefuses,     ///< the server was offered it, and answered without; told at the connection's end, if no box is known to have taken the option
    kUnanswered,  ///< the client offered it, and no one answered
    kSubflow,     ///< one more subflow of a connection is established
    kAddress,     ///< one side offered an address of its own (ADD_ADDR)
    kFallback,    ///< it was agreed, and left
  };
  What what = What::kAgreed;
  TimeNs time_ns = 0;
  Endpoints connection;                  ///< of the first subflow, client to server
  std::optional<std::uint8_t> offered;   ///< kAgreed, kRefused, kUnanswered: the version in the client's SYN
  std::optional<std::uint8_t> answered;  ///< kAgreed: that of the server
  bool completed = true;                 ///< kAgreed: the third ACK was seen; without it the client's address may be forged
  std::uint32_t subflows = 0;            ///< kSubflow: established at once, this one included
  Endpoints subflow;                     ///< kSubflow: its addresses, client to server
  bool by_server = false;                ///< kAddress: who offered it
  IpAddress address;                     ///< kAddress
  std::optional<std::uint16_t> port;     ///< kAddress, if the option has one
  bool authentic = false;                ///< kAddress: its HMAC is right
};

}  // namespace weir::inspect
