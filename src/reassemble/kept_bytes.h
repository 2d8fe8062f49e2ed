// Packet bytes kept past the packet's own step: by reference where the input stays in memory, else as a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace weir::reassemble {

/// Purpose: one run of bytes that outlives its packet. Owner: whoever holds it; move-only. What it costs is `held_bytes()`.
class KeptBytes {
 public:
  KeptBytes() = default;
  /// `stays`: the bytes remain valid until the input is closed, so no copy is needed.
  KeptBytes(std::span<const std::byte> bytes, bool stays) : data_(bytes.data()), size_(static_cast<std::uint32_t>(bytes.size())) {
    if (!stays && size_ != 0) {
      auto* copy = new std::byte[size_];
      std::memcpy(copy, bytes.data(), size_);
      block_ = data_ = copy;
    }
  }
  KeptBytes(KeptBytes&& other) noexcept { swap(other); }
  KeptBytes& operator=(KeptBytes&& other) noexcept {
    KeptBytes taken(std::move(other));
    swap(taken);
    return *this;
  }
  KeptBytes(const KeptBytes&) = delete;
  KeptBytes& operator=(const KeptBytes&) = delete;
  ~KeptBytes() { delete[] block_; }

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  bool stays() const { return block_ == nullptr; }
  /// Memory of its own.
  std::size_t held_bytes() const { return block_ == nullptr ? 0 : size_ + static_cast<std::size_t>(data_ - block_); }

  void drop_front(std::size_t n) {
    data_ += n;
    size_ -= static_cast<std::uint32_t>(n);
  }
  void drop_back(std::size_t n) { size_ -= static_cast<std::uint32_t>(n); }

 private:
  void swap(KeptBytes& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
  }
  const std::byte* data_ = nullptr;
  const std::byte* block_ = nullptr;
  std::uint32_t size_ = 0;
};

}  // namespace weir::reassemble
