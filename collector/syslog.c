#include "collector/syslog.h"

bool syslog_begin(struct stream *stream)
{
	struct framer *framer = stream_state(stream);

	*framer = framer_begin(stream_intake(stream)->options->frame_limit);
	return true;
}

bool syslog_take(struct stream *stream, struct str *bytes, bool end)
{
	struct framer *framer = stream_state(stream);
	struct str frame;
	bool cut;

	for (;;) {
		switch (framer_next(framer, bytes, end, &frame, &cut)) {
		case FRAMER_EVENT:
			stream_event(stream, frame, cut, NULL);
			break;
		case FRAMER_MORE:
			return true;
		case FRAMER_BAD:
			stream_row(stream)->counts.bad_frames++;
			return false;
		}
	}
}
