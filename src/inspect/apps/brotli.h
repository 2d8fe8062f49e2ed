// Bodies with Content-Encoding: br.
#pragma once

#include <brotli/decode.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace weir::inspect::apps {

/// Purpose: decodes as bytes come. Bound: what it expands to, beyond kRatio times what came in, is at most `expansion_bytes`.
class Brotli {
 public:
  static constexpr std::uint64_t kRatio = 2'048;

  explicit Brotli(std::uint64_t expansion_bytes) : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)), expansion_bytes_(expansion_bytes) {}
  /// Hands decoded pieces to `take`. False: it is no brotli, or expands too far; nothing more comes of it.
  template <typename Take>
  bool add(std::span<const std::byte> bytes, Take take) {
    in_ += bytes.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t left = bytes.size();
    while (!failed_ && !ended_) {
      std::array<std::uint8_t, 16'384> piece;
      std::uint8_t* to = piece.data();
      std::size_t room = piece.size();
      const auto result = BrotliDecoderDecompressStream(state_.get(), &left, &next, &room, &to, nullptr);
      const std::size_t made = piece.size() - room;
      out_ += made;
      if (made != 0) take(std::as_bytes(std::span(piece).first(made)));
      failed_ = result == BROTLI_DECODER_RESULT_ERROR || out_ > in_ * kRatio + expansion_bytes_;
      ended_ = result == BROTLI_DECODER_RESULT_SUCCESS;
      if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) break;
    }
    return !failed_;
  }

 private:
  struct Free {
    void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
  };
  std::unique_ptr<BrotliDecoderState, Free> state_;
  std::uint64_t expansion_bytes_ = 0, in_ = 0, out_ = 0;
  bool failed_ = false, ended_ = false;
};

}  // namespace weir::inspect::apps
