#include "report/duplicate_filter.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace weir::report {

// A digest that no one can find two packets for: a collision would keep a packet out of the file.
struct DuplicateFilter::Hash {
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Hash() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
  }
};

DuplicateFilter::DuplicateFilter() : hash_(std::make_unique<Hash>()) {}
DuplicateFilter::~DuplicateFilter() = default;

DuplicateFilter::Digest DuplicateFilter::digest(const wire::Decoded& packet) {
  static constexpr std::size_t kMasked = 120;  // the longest IPv4 header, and 60 octets beyond it
  static constexpr std::uint8_t kTcp = 6, kUdp = 17;
  std::array<std::byte, kMasked> head{};
  const std::size_t copied = std::min(packet.ip.size(), head.size());
  std::copy_n(packet.ip.begin(), copied, head.begin());
  const auto blank = [&](std::size_t at, std::size_t octets) {
    for (std::size_t i = at; i < std::min(at + octets, copied); ++i) head[i] = std::byte{0};
  };
  std::size_t transport = 40;
  if (packet.ip_version == 4) {
    transport = (std::to_integer<std::size_t>(head[0]) & 0x0f) * 4;
    blank(1, 1);   // DSCP and ECN
    blank(8, 1);   // TTL
    blank(10, 2);  // header checksum
  } else {
    head[0] &= std::byte{0xf0};  // traffic class
    head[1] &= std::byte{0x0f};
    blank(7, 1);  // hop limit
  }
  if (packet.kind != wire::Kind::kFragment) {
    if (packet.protocol == kTcp) blank(transport + 16, 2);
    if (packet.protocol == kUdp) blank(transport + 6, 2);
  }
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> hash{};
  EVP_DigestInit_ex2(hash_->context, hash_->sha256, nullptr);
  EVP_DigestUpdate(hash_->context, &packet.tunnel, sizeof packet.tunnel);
  EVP_DigestUpdate(hash_->context, head.data(), copied);
  EVP_DigestUpdate(hash_->context, packet.ip.data() + copied, packet.ip.size() - copied);
  EVP_DigestFinal_ex(hash_->context, hash.data(), nullptr);
  Digest out{};
  std::memcpy(out.data(), hash.data(), sizeof out);
  return out;
}

bool DuplicateFilter::seen_elsewhere(const wire::Decoded& packet, PointId point, TimeNs now) {
  if (now - began_ >= kGeneration || current_.size() >= kEntries) {
    previous_ = std::exchange(current_, {});
    began_ = now;
  }
  const Digest key = digest(packet);
  auto [found, fresh] = current_.try_emplace(key);
  Entry& entry = found->second;
  if (fresh) {
    if (const auto old = previous_.find(key); old != previous_.end()) entry = old->second;
  }
  auto count = std::ranges::find(entry.counts, point, &std::pair<PointId, std::uint32_t>::first);
  if (count == entry.counts.end()) count = entry.counts.insert(entry.counts.end(), {point, 0});
  if (++count->second <= entry.written) return true;
  entry.written = count->second;
  return false;
}

}  // namespace weir::report
