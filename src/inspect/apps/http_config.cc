#include "inspect/apps/http_config.h"

#include <htp/htp.h>

#include "inspect/apps/http.h"

namespace weir::inspect::apps {
namespace {

Http& http_of(htp_tx_t* tx) { return *static_cast<Http*>(htp_connp_get_user_data(tx->connp)); }

template <auto kMember>
int on_transaction(htp_tx_t* tx) {
  (http_of(tx).*kMember)(tx);
  return HTP_OK;
}
template <auto kMember>
int on_data(htp_tx_data_t* data) {
  (http_of(data->tx).*kMember)(data);
  return HTP_OK;
}

}  // namespace

void HttpConfig::Free::operator()(htp_cfg_t* c) const { htp_config_destroy(c); }

HttpConfig::HttpConfig(const Limits& limits) : config(htp_config_create()) {
  htp_cfg_t* const c = config.get();
  htp_config_set_server_personality(c, HTP_SERVER_IDS);
  htp_config_set_tx_auto_destroy(c, 1);
  htp_config_set_log_level(c, HTP_LOG_NONE);
  const auto head = static_cast<std::size_t>(limits.app_header_bytes);
  htp_config_set_field_limits(c, head / 2, head);
  htp_config_set_response_decompression(c, 1);
  htp_config_set_compression_bomb_limit(c, static_cast<std::size_t>(limits.app_expansion_bytes));
  htp_config_set_response_decompression_layer_limit(c, 2);
  htp_config_set_lzma_layers(c, 0);
  htp_config_register_request_start(c, on_transaction<&Http::request_start>);
  htp_config_register_request_header_data(c, on_data<&Http::request_raw>);
  htp_config_register_request_headers(c, on_transaction<&Http::request_headers>);
  htp_config_register_request_body_data(c, on_data<&Http::request_body>);
  htp_config_register_request_complete(c, on_transaction<&Http::request_complete>);
  htp_config_register_response_start(c, on_transaction<&Http::response_start>);
  htp_config_register_response_header_data(c, on_data<&Http::response_raw>);
  htp_config_register_response_headers(c, on_transaction<&Http::response_headers>);
  htp_config_register_response_body_data(c, on_data<&Http::response_body>);
  htp_config_register_response_complete(c, on_transaction<&Http::response_complete>);
  htp_config_register_transaction_complete(c, on_transaction<&Http::exchange_complete>);
}

}  // namespace weir::inspect::apps
