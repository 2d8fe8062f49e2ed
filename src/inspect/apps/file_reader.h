// A file on its way through a body: its hash, its beginning, its size.
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace weir::inspect::apps {

/// Purpose: what a FileRecord says of the bytes, taken as they come. Memory: kBeginning and a hash.
class FileReader {
 public:
  static constexpr std::size_t kBeginning = 4'096;

  FileReader() : hash_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr); }
  void add(std::span<const std::byte> bytes) {
    EVP_DigestUpdate(hash_.get(), bytes.data(), bytes.size());
    const std::size_t more = std::min(bytes.size(), kBeginning - beginning_.size());
    beginning_.append(reinterpret_cast<const char*>(bytes.data()), more);
    size_ += bytes.size();
  }
  std::uint64_t size() const { return size_; }
  const std::string& beginning() const { return beginning_; }
  /// In hexadecimal digits; once.
  std::string sha256() {
    std::array<unsigned char, 32> digest{};
    EVP_DigestFinal_ex(hash_.get(), digest.data(), nullptr);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char octet : digest) {
      text += kDigits[octet >> 4U];
      text += kDigits[octet & 15U];
    }
    return text;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> hash_;
  std::string beginning_;
  std::uint64_t size_ = 0;
};

}  // namespace weir::inspect::apps
