#include "mptcp_writer.h"

#include "track/keys.h"

namespace weir::bench {
namespace {

constexpr unsigned kMptcp = 30;
constexpr unsigned kDataFin = 0x10, kWideDsn = 0x08, kMapping = 0x04, kWideAck = 0x02, kDataAck = 0x01;
constexpr unsigned kHmacSha256 = 0x01;

}  // namespace

MptcpConnection::MptcpConnection(std::uint64_t number, unsigned subflows) : flows_(subflows) {
  for (const unsigned side : {0U, 1U}) {
    key_[side] = mix(number * 2 + side);
    const track::KeyDigest digest = track::digest_key(key_[side], 1);
    token_[side] = digest.token;
    idsn_[side] = digest.idsn;
    next_dsn_[side] = idsn_[side] + 1;
    nonce_[side] = static_cast<std::uint32_t>(mix(~number * 2 + side));
  }
  for (unsigned i = 0; i < subflows; ++i) {
    // Clients in 10/8 and up, 40,000 connections an address; a path for each subflow.
    const auto client = static_cast<std::uint32_t>(number / 40'000);
    flows_[i].address = {0x0a000001U + (i << 16U) + client, 0xc6336401U + i};
    flows_[i].port = {static_cast<std::uint16_t>(20'000 + number % 40'000), kServerPort};
    flows_[i].isn = {static_cast<std::uint32_t>(mix(number * 64 + i)), static_cast<std::uint32_t>(mix(number * 64 + i) >> 32U)};
  }
}

void MptcpConnection::handshake(TcpWriter& out, unsigned subflow, unsigned step) {
  Options options = out.options(step < 2);
  const Flow& flow = flows_[subflow];
  if (subflow == 0) {
    switch (step) {
      case 0:
        options.octets({kMptcp, 4, 0x01, kHmacSha256});
        break;
      case 1:
        options.octets({kMptcp, 12, 0x01, kHmacSha256});
        options.number(key_[1], 8);
        break;
      default:
        options.octets({kMptcp, 20, 0x01, kHmacSha256});
        options.number(key_[0], 8);
        options.number(key_[1], 8);
    }
  } else {
    switch (step) {
      case 0:
        options.octets({kMptcp, 12, 0x10, subflow});
        options.number(token_[1], 4);
        options.number(nonce_[0] + subflow, 4);
        break;
      case 1:
        options.octets({kMptcp, 16, 0x10, subflow});
        options.number(track::leftmost_64(track::join_hmac(1, key_[1], key_[0], nonce_[1] + subflow, nonce_[0] + subflow)), 8);
        options.number(nonce_[1] + subflow, 4);
        break;
      case 2:
        options.octets({kMptcp, 24, 0x10, 0});
        for (const std::byte octet : track::join_hmac(1, key_[0], key_[1], nonce_[0] + subflow, nonce_[1] + subflow))
          options.number(std::to_integer<unsigned>(octet), 1);
        break;
      default:
        acknowledge(out, subflow, 1);
        return;
    }
  }
  const unsigned from = step == 1 ? 1 : 0;
  const auto flags = static_cast<std::uint8_t>((step < 2 ? kSyn : 0U) | (step > 0 ? kAck : 0U));
  out.write(flow, from, flags, step < 2 ? 0 : 1, step > 0 ? 1 : 0, options);
}

DataMapping MptcpConnection::map(unsigned subflow, unsigned from, std::uint32_t length) {
  const DataMapping mapping{.dsn = next_dsn_[from], .position = flows_[subflow].sent[from], .length = static_cast<std::uint16_t>(length)};
  next_dsn_[from] += length;
  flows_[subflow].sent[from] += length;
  return mapping;
}

void MptcpConnection::send(TcpWriter& out, unsigned subflow, unsigned from, const DataMapping& mapping, std::uint32_t offset, const Payload& payload) {
  const Flow& flow = flows_[subflow];
  Options options = out.options(false);
  if (from == 0 && !told_keys_) {
    told_keys_ = true;
    options.octets({kMptcp, 22, 0x01, kHmacSha256});
    options.number(key_[0], 8);
    options.number(key_[1], 8);
    options.number(mapping.length, 2);
    options.pad();
  } else {
    options.octets({kMptcp, 22, 0x20, kWideDsn | kMapping | kDataAck});
    options.number(static_cast<std::uint32_t>(next_dsn_[1 - from]), 4);
    options.number(mapping.dsn, 8);
    options.number(mapping.position, 4);
    options.number(mapping.length, 2);
    options.pad();
  }
  const bool last = offset + payload.bytes.size() == mapping.length;
  out.write(flow, from, last ? kAck | kPsh : kAck, mapping.position + offset, flow.sent[1 - from], options, payload);
}

void MptcpConnection::acknowledge(TcpWriter& out, unsigned subflow, unsigned from, std::uint32_t position, std::uint64_t dsn) {
  Options options = out.options(false);
  options.octets({kMptcp, 12, 0x20, kWideAck | kDataAck});
  options.number(dsn, 8);
  out.write(flows_[subflow], from, kAck, flows_[subflow].sent[from], position, options);
}

void MptcpConnection::acknowledge(TcpWriter& out, unsigned subflow, unsigned from) {
  acknowledge(out, subflow, from, flows_[subflow].sent[1 - from], next_dsn_[1 - from]);
}

void MptcpConnection::data_fin(TcpWriter& out, unsigned from) {
  Options options = out.options(false);
  options.octets({kMptcp, 22, 0x20, kDataFin | kWideDsn | kMapping | kDataAck});
  options.number(static_cast<std::uint32_t>(next_dsn_[1 - from]), 4);
  options.number(next_dsn_[from]++, 8);
  options.number(0, 4);
  options.number(1, 2);
  options.pad();
  out.write(flows_[0], from, kAck, flows_[0].sent[from], flows_[0].sent[1 - from], options);
}

void MptcpConnection::close(TcpWriter& out) {
  data_fin(out, 0);
  acknowledge(out, 0, 1);
  data_fin(out, 1);
  acknowledge(out, 0, 0);
  for (Flow& flow : flows_) out.close(flow);
}

}  // namespace weir::bench
