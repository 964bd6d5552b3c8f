// Keeps the logs of channels with a history complete: what a loss of Redis, a lost announcement or a late start left
// out is read from the channel's stream, so that clients see no gap but what Redis has trimmed.
//
// A channel goes through these states:
//
//   away       Nothing arrives.
//   beginning  Subscribed. The newest entry is being read: the log begins behind it.
//   filling    What follows the log's end is being read, a page at a time. Announcements only raise the id up to
//              which pages are read; a few small ones are kept, to follow the last page.
//   live       Each announcement that is the next one is appended. One that is not goes back to filling.
//
// Threads:   the StreamListener's functions on the bus thread; compare_tails() and counts on any.
// Ownership: everything it is given outlives it. The state of a channel belongs to the channel (OpenChannel::fill).
// Limits:    one read a channel at a time; kParkedMax announcements kept for it; kTailsPerRound comparisons a round.
// Source:    docs/durable.md
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/tally.h"
#include "broker/bus/streams.h"
#include "broker/hub/entry_encoder.h"
#include "broker/hub/history_reader.h"
#include "broker/hub/open_channels.h"
#include "broker/hub/sequencer.h"

namespace weir {

class StreamFiller final : public StreamListener {
 public:
  // Written on the bus thread.
  struct Tallies {
    Tally announced;  // Entries that were announced, and appended.
    Tally followed;   // Entries of followed streams.
    Tally filled;     // Entries that were read to fill up a log.
    Tally repeated;   // Announcements of what the log had already.
    Tally forged;     // Announcements of what the stream has not.
    Tally lost;       // Comparisons that found an entry whose announcement had not come.
  };

  StreamFiller(const EntryEncoder& encoder, HistoryReader& history, OpenChannels& channels,
               Sequencer& sequencer);

  void set_streams(Streams& streams) { streams_ = &streams; }

  // StreamListener
  void on_stream_subscribed(std::string_view channel) override;
  void on_stream_lost(std::string_view channel) override;
  void on_stream_made_anew(std::string_view channel) override;
  void on_stream_refused(std::string_view channel, std::string_view why) override;
  void on_announced(std::string_view channel, StreamEntry entry) override;
  void on_followed(std::string_view channel, std::vector<StreamEntry> entries) override;
  void on_readable(bool is_readable) override;

  // Compares the tails of some live durable channels with their logs, other ones at each call.
  void compare_tails();

  const Tallies& tallies() const { return tallies_; }

 private:
  void begin(const OpenChannelPtr& open);
  void fill(const OpenChannelPtr& open);
  void on_page(const OpenChannelPtr& open, const PagePtr& page);
  bool append_run(const OpenChannelPtr& open, const Page& page);
  void append_parked(const OpenChannelPtr& open);
  void become_live(const OpenChannelPtr& open);
  bool is_due(const OpenChannelPtr& open, std::uint64_t round) const;
  static History::IsWanted wanted_in(const OpenChannelPtr& open);
  void refuse(const OpenChannelPtr& open, std::string_view why);
  // `end` is where the log ended when the tail was asked for.
  void on_tail(const OpenChannelPtr& open, const HistoryReader::Tail& tail, const StreamId& end);

  const EntryEncoder& encoder_;
  HistoryReader& history_;
  OpenChannels& channels_;
  Sequencer& sequencer_;
  Streams* streams_ = nullptr;
  Tallies tallies_;
};

}  // namespace weir
