#include "report/community_id.h"

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

namespace weir::report {

struct CommunityId::Digest {
  EVP_MD* sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Digest() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha1);
  }
};

CommunityId::CommunityId() : digest_(std::make_unique<Digest>()) {}
CommunityId::~CommunityId() = default;

std::string CommunityId::of(const engine::Endpoints& flow) {
  static constexpr std::size_t kSha1Octets = 20;
  static constexpr std::uint8_t kTcp = 6;
  // The smaller end first, so that both directions give the same text. The spec compares the octets as they stand in a
  // header; both ends are of one family, so that the mapped form compares alike.
  auto low = std::tie(flow.src, flow.src_port), high = std::tie(flow.dst, flow.dst_port);
  const bool swap = high < low;
  const auto& [low_address, low_port] = swap ? high : low;
  const auto& [high_address, high_port] = swap ? low : high;

  std::array<std::uint8_t, 2 + 16 + 16 + 2 + 4> text{};  // the first two octets are the seed, 0
  std::size_t size = 2;
  for (const IpAddress* address : {&low_address, &high_address})
    for (const std::uint8_t octet : address->wire()) text[size++] = octet;
  text[size++] = kTcp;
  text[size++] = 0;
  for (const std::uint16_t port : {low_port, high_port}) {
    text[size++] = static_cast<std::uint8_t>(port >> 8);
    text[size++] = static_cast<std::uint8_t>(port & 0xff);
  }

  std::array<std::uint8_t, kSha1Octets> hash{};
  EVP_DigestInit_ex2(digest_->context, digest_->sha1, nullptr);
  EVP_DigestUpdate(digest_->context, text.data(), size);
  EVP_DigestFinal_ex(digest_->context, hash.data(), nullptr);

  std::array<std::uint8_t, 4 * ((kSha1Octets + 2) / 3) + 1> base64{};
  const int length = EVP_EncodeBlock(base64.data(), hash.data(), kSha1Octets);
  return "1:" + std::string(base64.begin(), base64.begin() + length);
}

}  // namespace weir::report
