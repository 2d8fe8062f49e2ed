// MP_JOIN: opens a further subflow of a connection (RFC 8684 §3.2). Its three forms are told apart by their lengths.
#pragma once

#include <expected>

#include "base/bytes.h"
#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// `bytes` is the whole option, as long as its length octet says.
std::expected<Option, OptionError> parse_mp_join(Bytes bytes);
void emit(const MpJoinSyn& option, ByteWriter& out);
void emit(const MpJoinSynAck& option, ByteWriter& out);
void emit(const MpJoinAck& option, ByteWriter& out);

}  // namespace weir::wire::mptcp
