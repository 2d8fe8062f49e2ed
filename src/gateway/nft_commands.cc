#include "gateway/nft_commands.h"

#include <algorithm>

extern "C" {
#include <nftables/libnftables.h>
}

namespace weir::gateway {

void NftCommands::ContextEnd::operator()(nft_ctx* context) const { nft_ctx_free(context); }

std::expected<NftCommands, std::string> NftCommands::open() {
  Context context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return std::unexpected(std::string("nftables cannot be used"));
  nft_ctx_buffer_error(context.get());
  nft_ctx_buffer_output(context.get());
  return NftCommands(std::move(context));
}

std::expected<void, std::string> NftCommands::run(const std::string& text) {
  if (nft_run_cmd_from_buffer(context_.get(), text.c_str()) == 0) return {};
  // "/dev/stdin:1:2-3: Error: WHY", then the text with marks beneath it: the first line says it.
  std::string said = nft_ctx_get_error_buffer(context_.get());
  said.resize(std::min(said.find('\n'), said.size()));
  if (const auto why = said.find("Error: "); why != std::string::npos) said.erase(0, why + 7);
  return std::unexpected(said.empty() ? std::string("no reason given") : said);
}

}  // namespace weir::gateway
