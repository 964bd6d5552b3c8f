#include "broker/api/routes.h"

#include <algorithm>
#include <utility>

#include "broker/api/credential.h"
#include "broker/api/history.h"
#include "broker/api/parameters.h"
#include "broker/api/stream_query.h"
#include "broker/base/logging.h"
#include "broker/base/metrics.h"
#include "broker/base/retry_time.h"
#include "proto/channel_name.h"
#include "proto/envelope.h"
#include "proto/event_id.h"
#include "proto/sse.h"
#include "proto/stream_id.h"
#include "proto/text.h"

namespace weir {
namespace {

constexpr std::string_view kChannelMethods = "GET, HEAD, POST, OPTIONS";
constexpr std::string_view kReadMethods = "GET, HEAD, OPTIONS";
constexpr std::string_view kPublishMethods = "POST, OPTIONS";

bool is_read(const Head& head) { return head.method == "GET" || head.method == "HEAD"; }

Reply no_content(std::string_view allowed) {
  Reply reply;
  reply.status = 204;
  if (!allowed.empty()) reply.headers.push_back({"Allow", std::string(allowed)});
  return reply;
}

// Answers OPTIONS without a preflight's headers, and every method that is not in `allowed`.
Reply other_method(const Head& head, std::string_view allowed) {
  return head.method == "OPTIONS" ? no_content(allowed) : method_not_allowed(allowed);
}

Reply not_found() { return error_reply(404, "there is nothing at this path"); }

Reply no_channel(const std::string& name) {
  return channel_error_reply(400, "\"" + name + "\" is no channel name: " + kChannelNameRule, name);
}

// The console finds the other URLs beside its own, which ends with a slash.
Reply moved_to(std::string path, std::string_view query) {
  Reply reply = error_reply(308, "the console is at " + path);
  if (!query.empty()) path.append("?").append(query);
  reply.headers.push_back({"Location", std::move(path)});
  return reply;
}

// The key by which a repeat of a publish is known; empty if the request has none. The error is one line.
Result<std::string> idempotency_key(const Head& head) {
  constexpr std::size_t kBytesMax = 256;
  const auto key = head.joined("idempotency-key");
  if (!key) return std::string();
  const bool is_visible = std::all_of(key->begin(), key->end(), [](char c) { return c > ' ' && c <= '~'; });
  if (key->empty() || key->size() > kBytesMax || !is_visible) {
    return Error{"Idempotency-Key is not 1 to 256 characters of visible ASCII"};
  }
  return *key;
}

// Hides tokens wherever a client put one by mistake. The path is decoded, so that one in it is recognised.
void log_refusal(const Head& head, const Reply& reply) {
  if (!is_logged(LogLevel::kDebug)) return;
  std::string target = percent_decode(head.path).value_or("(a path with a broken escape)");
  if (!head.query.empty()) target += "?" + redacted_query(head.query);
  log_debug(std::to_string(reply.status) + " for " + head.method + " " + target + ": " + reply.body);
}

// True for an EventSource, and for any other client that names text/event-stream.
bool accepts_stream(const Head& head) { return is_read(head) && read_accept(head.joined("accept")).is_named; }

const char* outcome_name(PublishOutcome outcome) {
  switch (outcome) {
    case PublishOutcome::kDelivered:
      return "delivered";
    case PublishOutcome::kUnavailable:
      return "unavailable";
    case PublishOutcome::kUnknown:
      return "unknown";
    case PublishOutcome::kForbidden:
    case PublishOutcome::kTooLarge:
    case PublishOutcome::kRefused:
      return "refused";
  }
  return "";
}

Refused refused_of(NoPlace why_not) {
  switch (why_not) {
    case NoPlace::kClients:
      return Refused::kClients;
    case NoPlace::kClientsPerAddress:
      return Refused::kClientsPerAddress;
    case NoPlace::kConnectsPerSecond:
      return Refused::kConnectsPerSecond;
    case NoPlace::kDraining:
      break;
  }
  return Refused::kDraining;
}

// `subscribers` is the number of the channel's streams on this gateway when the request came.
Reply publish_reply(const std::string& channel, std::size_t subscribers, const PublishResult& result) {
  const std::string why = result.detail.empty() ? "" : ": " + result.detail;
  Reply reply;
  JsonObject json;
  switch (result.outcome) {
    case PublishOutcome::kDelivered:
      json.add_text("channel", channel);
      // Nobody counts the receivers of a durable message: the gateways that come later get it, too.
      result.id ? json.add_text("id", format_stream_id(*result.id))
                : json.add_number("receivers", result.receivers);
      if (result.is_repeated) json.add_flag("repeated", true);
      return json_reply(202, json.add_number("subscribers", subscribers));
    case PublishOutcome::kUnavailable:
      reply = error_reply(503, "nothing was published: the bus is away or busy" + why);
      reply.headers.push_back({"Retry-After", "1"});
      reply.refused = Refused::kBusUnavailable;
      return reply;
    case PublishOutcome::kUnknown:
      reply = error_reply(504, "the outcome is unknown: the bus did not confirm in time" + why);
      reply.refused = Refused::kBusUnknown;
      return reply;
    case PublishOutcome::kTooLarge:
      reply = error_reply(413, "nothing was published: the message is longer than the bus takes" + why);
      reply.refused = Refused::kTooLarge;
      return reply;
    case PublishOutcome::kForbidden:
    case PublishOutcome::kRefused:
      break;
  }
  // A rule about this channel concerns the caller. Any other refusal means that the bus is misconfigured.
  const std::string detail = "nothing was published: the bus refused it" + why;
  reply = result.outcome == PublishOutcome::kForbidden ? channel_error_reply(403, detail, channel)
                                                       : error_reply(502, detail);
  reply.refused = Refused::kBusRefused;
  return reply;
}

}  // namespace

Reply method_not_allowed(std::string_view allowed) {
  Reply reply = error_reply(405, "this path knows " + std::string(allowed));
  reply.headers.push_back({"Allow", std::string(allowed)});
  return reply;
}

std::string end_payload(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return R"({"type":"weir:end"})";
  const std::string data = is_json(body) ? std::string(body) : json_string(body);
  return R"({"type":"weir:end","data":)" + data + "}";
}

JsonObject channel_json(const ChannelInfo& info) {
  JsonObject json;
  json.add_text("channel", info.name).add_number("subscribers", info.subscribers);
  info.last_id.empty() ? json.add_null("lastId") : json.add_text("lastId", info.last_id);
  json.add_number("logMessages", info.log_messages)
      .add_number("logBytes", info.log_bytes)
      .add_flag("live", info.is_live);
  return json;
}

// A stream that has its place, and waits for its head and its socket.
class Routes::Opening final : public StreamOpening {
 public:
  Opening(Routes& routes, StreamRequest request, Place place, bool accepts_stream, std::vector<Header> cors)
      : routes_(routes),
        request_(std::move(request)),
        place_(std::move(place)),
        cors_(std::move(cors)),
        accepts_stream_(accepts_stream) {}

  void set_head(std::string head, const Delivery& delivery) override {
    request_.head = std::move(head);
    request_.encoding.is_chunked = !delivery.is_http_1_0;
    request_.forbidden = [cors = cors_, delivery](std::string_view channel) {
      Reply reply = channel_error_reply(403, "the bus refuses a subscription to this channel", channel);
      return encode_reply(with_headers(std::move(reply), cors), delivery);
    };
  }
  bool open(int socket) override {
    return routes_.gateway_.open_stream(std::move(request_), std::move(place_), socket);
  }
  Reply refusal() override { return with_headers(routes_.full(accepts_stream_, Refused::kChannels), cors_); }

 private:
  Routes& routes_;
  StreamRequest request_;
  Place place_;
  std::vector<Header> cors_;  // For the replies in place of the stream.
  bool accepts_stream_;
};

Routes::Routes(RouteOptions options, Gateway& gateway, Metrics& metrics, const TokenVerifier* verifier)
    : options_(std::move(options)),
      access_(options_.access),
      doorkeeper_(access_, verifier, options_.cookie_name),
      console_(make_console_page(kConsoleHtml)),
      clients_(client_files(), kClientVersion),
      gateway_(gateway),
      metrics_(metrics),
      random_(options_.random) {}

Reply Routes::handle(Request& request) {
  if (auto reply = client_library(request.head)) return std::move(*reply);
  Reply reply = dispatch(request);
  if (reply.status == 401 || reply.status == 403) log_refusal(request.head, reply);
  return with_headers(std::move(reply), cors_headers(request.head));
}

std::vector<Header> Routes::cors_headers(const Head& head) const { return access_.cors_headers(head); }

bool Routes::is_draining() const { return gateway_.is_draining(); }

std::optional<Reply> Routes::client_library(const Head& head) const {
  constexpr std::string_view kClients = "/clients/";
  std::string_view path = head.path;
  if (!path.starts_with(options_.base_path)) return std::nullopt;
  path.remove_prefix(options_.base_path.size());
  if (!path.starts_with(kClients) || access_.refuse_foreign(head)) return std::nullopt;
  return options_.has_clients ? clients_.answer(head, path.substr(kClients.size())) : ClientLibrary::off();
}

Reply Routes::dispatch(Request& request) {
  const Head& head = request.head;
  if (auto refusal = access_.refuse_foreign(head)) return std::move(*refusal);
  if (auto preflight = access_.preflight(head)) return std::move(*preflight);

  std::string_view path = head.path;
  if (path == "*") return no_content(kChannelMethods);
  const std::string& base = options_.base_path;
  if (path == base) return moved_to(base + "/", head.query);
  if (!path.starts_with(base) || path[base.size()] != '/') return not_found();
  path.remove_prefix(base.size());
  if (path == "/") return console(head);
  if (path == "/events") return is_read(head) ? open_events(request) : other_method(head, kReadMethods);
  constexpr std::string_view kChannels = "/channels/";
  if (path.substr(0, kChannels.size()) != kChannels) return not_found();
  const std::string_view rest = path.substr(kChannels.size());
  const auto slash = rest.find('/');
  return on_channel(request, rest.substr(0, slash),
                    slash == std::string_view::npos ? "" : rest.substr(slash));
}

Reply Routes::on_channel(Request& request, std::string_view encoded_name, std::string_view action) {
  const Head& head = request.head;
  if (action != "" && action != "/end" && action != "/info" && action != "/messages") return not_found();
  auto channel = percent_decode(encoded_name);
  if (!channel || !is_channel_name(*channel)) return no_channel(channel.value_or(std::string(encoded_name)));
  if (action == "/info") return is_read(head) ? info(head, *channel) : other_method(head, kReadMethods);
  if (action == "/messages") {
    return is_read(head) ? messages(request, std::move(*channel)) : other_method(head, kReadMethods);
  }
  if (action == "/end") {
    if (head.method != "POST") return other_method(head, kPublishMethods);
    return publish(request, std::move(*channel), true);
  }
  if (is_read(head)) return open_channel(request, std::move(*channel));
  if (head.method != "POST") return other_method(head, kChannelMethods);
  return publish(request, std::move(*channel), false);
}

std::variant<Routes::Visit, Reply> Routes::identify(const Head& head) const {
  auto query = parse_query(head.query);
  if (!query) return error_reply(400, "the query holds a broken escape");
  auto caller = doorkeeper_.identify(head, *query);
  if (auto* refusal = std::get_if<Reply>(&caller)) return std::move(*refusal);
  return Visit{std::move(*query), std::get<Caller>(std::move(caller))};
}

std::variant<Routes::Visit, Reply> Routes::authorize(const Head& head, Action action,
                                                     std::string_view channel) const {
  auto visit = identify(head);
  if (std::holds_alternative<Reply>(visit)) return visit;
  if (auto refusal = doorkeeper_.refuse(std::get<Visit>(visit).caller, action, channel))
    return std::move(*refusal);
  return visit;
}

Reply Routes::open_channel(const Request& request, std::string channel) {
  const Head& head = request.head;
  auto admitted = authorize(head, Action::kSubscribe, channel);
  if (auto* refusal = std::get_if<Reply>(&admitted)) return std::move(*refusal);
  const Visit& visit = std::get<Visit>(admitted);
  const auto id = last_event_id(head, visit.query);
  const bool is_ended = id && is_end_id(*id);
  if (is_ended) return no_content("");  // An EventSource stops for good.
  std::vector<std::string> channels;
  channels.push_back(std::move(channel));
  return open(request, visit, std::move(channels), Form::kChannel);
}

Reply Routes::open_events(const Request& request) {
  const Head& head = request.head;
  auto identified = identify(head);
  if (auto* refusal = std::get_if<Reply>(&identified)) return std::move(*refusal);
  const Visit& visit = std::get<Visit>(identified);
  std::vector<std::string> channels;
  for (const auto& [name, value] : visit.query) {
    if (name != parameter::kChannel) continue;
    if (!is_channel_name(value)) return no_channel(value);
    if (auto refusal = doorkeeper_.refuse(visit.caller, Action::kSubscribe, value))
      return std::move(*refusal);
    if (std::find(channels.begin(), channels.end(), value) == channels.end()) channels.push_back(value);
    if (channels.size() > options_.channels_per_client_max) {
      // A retry would not help, so let an EventSource give up.
      Reply reply =
          error_reply(400, "one stream follows at most " + std::to_string(options_.channels_per_client_max) +
                               " channels: see --max-channels-per-client");
      reply.refused = Refused::kChannelsPerClient;
      return reply;
    }
  }
  if (channels.empty()) return error_reply(400, "no channel is named: /events?channel=a&channel=b");
  return open(request, visit, std::move(channels), Form::kEvents);
}

Reply Routes::open(const Request& from, const Visit& visit, std::vector<std::string> channels, Form form) {
  const QueryParameters& query = visit.query;
  const Head& head = from.head;
  const AcceptedStream accept = read_accept(head.joined("accept"));
  if (!accept.is_accepted) {
    return error_reply(406, "this is a stream of text/event-stream, which the Accept header excludes");
  }
  StreamRequest request;
  request.channels = std::move(channels);
  request.encoding.form = form;
  request.may_add_channels = form == Form::kEvents;
  if (visit.caller.claims) request.expires_at = visit.caller.claims->expires_at;
  const auto route = form == Form::kChannel ? StreamRoute::kChannel : StreamRoute::kEvents;
  request.comments = unknown_parameter_comments(query, route);
  if (const auto error = read_stream_query(head, query, request)) {
    return error->channel ? channel_error_reply(400, error->detail, *error->channel)
                          : error_reply(400, error->detail);
  }
  Reply reply;
  become_stream(reply);
  if (head.method == "HEAD") {
    reply.is_stream_head = true;
    return reply;
  }
  if (!from.is_whole) return reply;
  request.client_address = from.client_address;
  request.arrived = from.arrived;
  Gateway::Admission admission = gateway_.admit(from.client_address);
  if (!admission.place) return full(accept.is_named, refused_of(*admission.why_not));
  reply.stream = std::make_unique<Opening>(*this, std::move(request), std::move(*admission.place),
                                           accept.is_named, cors_headers(head));
  return reply;
}

// Another gateway may be ready while this one drains; a full one needs time.
std::chrono::milliseconds Routes::retry_after(Refused reason) {
  // splitmix64: spreads the retries of clients that are turned away in one second.
  std::uint64_t z = random_.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  if (reason == Refused::kDraining)
    return jittered_at_drain(options_.drain_retry, options_.retry, static_cast<std::uint32_t>(z));
  return std::chrono::milliseconds(10'000 + z % 20'001);
}

Reply Routes::overloaded(const Head& head) {
  return with_headers(full(accepts_stream(head), Refused::kRequests), cors_headers(head));
}

Reply Routes::full(bool accepts_stream, Refused reason) {
  const auto retry = retry_after(reason);
  Reply reply;
  if (accepts_stream) {
    become_stream(reply);
    reply.body = encode_overloaded(refused_name(reason), retry);
  } else {
    const int status = reason == Refused::kClientsPerAddress ? 429 : 503;
    reply = error_reply(status, std::string("there is no room for this request: ") + refused_name(reason));
    reply.headers.push_back(
        {"Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(retry).count())});
  }
  reply.refused = reason;
  reply.closes = true;  // Other clients need its descriptor.
  return reply;
}

Reply Routes::publish(Request& request, std::string channel, bool is_end) {
  if (!request.is_admitted) {
    auto admitted = authorize(request.head, Action::kPublish, channel);
    if (auto* refusal = std::get_if<Reply>(&admitted)) return std::move(*refusal);
  }
  auto key = idempotency_key(request.head);
  if (!key) return error_reply(400, key.error().message);
  if (!request.is_whole) return Reply();
  std::string payload = is_end ? end_payload(request.body) : std::move(request.body);
  if (!gateway_.fits(channel, payload)) {
    Reply reply = error_reply(413,
                              "the message is too long once each of its lines has its own data: field; see "
                              "--max-message-bytes");
    reply.refused = Refused::kTooLarge;
    return reply;
  }
  Reply reply;
  reply.status = 202;
  reply.later = [this, channel = std::move(channel), payload = std::move(payload), key = std::move(*key),
                 cors = cors_headers(request.head)](std::function<void(Reply::Make)> done) mutable {
    const std::size_t subscribers = gateway_.subscribers(channel);
    auto on_published = [this, channel, subscribers, cors = std::move(cors),
                         done = std::move(done)](PublishResult result) mutable {
      done([this, channel = std::move(channel), subscribers, cors = std::move(cors),
            result = std::move(result)] {
        metrics_.count(Metric::kPublishes, outcome_name(result.outcome));
        return with_headers(publish_reply(channel, subscribers, result), cors);
      });
    };
    gateway_.publish(std::move(channel), std::move(payload), std::move(key), std::move(on_published));
  };
  return reply;
}

Reply Routes::info(const Head& head, const std::string& channel) const {
  auto admitted = authorize(head, Action::kSubscribe, channel);
  if (auto* refusal = std::get_if<Reply>(&admitted)) return std::move(*refusal);
  ChannelInfo info = gateway_.info(channel);
  info.name = channel;
  JsonObject json = channel_json(info);
  json.add_text("bus", bus_name(gateway_.bus_state().kind));
  Reply reply = json_reply(200, json);
  reply.headers.push_back({"Cache-Control", "no-store"});
  return reply;
}

Reply Routes::messages(const Request& request, std::string channel) {
  auto admitted = authorize(request.head, Action::kSubscribe, channel);
  if (auto* refusal = std::get_if<Reply>(&admitted)) return std::move(*refusal);
  auto query = history_query(std::move(channel), std::get<Visit>(admitted).query);
  if (!query) return error_reply(400, query.error().message);
  Reply reply;
  if (!request.is_whole) return reply;
  reply.later = [this, query = std::move(*query),
                 cors = cors_headers(request.head)](std::function<void(Reply::Make)> done) mutable {
    gateway_.read_history(std::move(query),
                          [cors = std::move(cors), done = std::move(done)](HistoryPage page) mutable {
                            done([cors = std::move(cors), page = std::move(page)] {
                              return with_headers(history_reply(page), cors);
                            });
                          });
  };
  return reply;
}

Reply Routes::console(const Head& head) const {
  if (!options_.has_console) return error_reply(404, "the console is off: see --console");
  if (!is_read(head)) return other_method(head, kReadMethods);
  Reply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.headers.push_back({"Content-Security-Policy", console_.policy});
  reply.headers.push_back({"X-Content-Type-Options", "nosniff"});
  reply.headers.push_back({"Referrer-Policy", "no-referrer"});
  reply.headers.push_back({"Cache-Control", "no-cache"});
  reply.body = console_.html;
  return reply;
}

}  // namespace weir
