package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"
)

// sender ADDRESS EVENTS LEVEL: windows of 50 events, each sent again until it is acknowledged.
func main() {
	events, _ := strconv.Atoi(os.Args[2])
	level, _ := strconv.Atoi(os.Args[3])
	var client *lumber.SyncClient
	for from := 0; from < events; {
		if client == nil {
			var err error
			client, err = lumber.SyncDial(os.Args[1], lumber.CompressionLevel(level), lumber.Timeout(10*time.Second))
			if err != nil {
				client = nil
				time.Sleep(50 * time.Millisecond)
				continue
			}
		}
		var window []interface{}
		for n := from; n < from+50 && n < events; n++ {
			window = append(window, map[string]interface{}{
				"@timestamp": "2026-11-22T08:30:00.000Z",
				"message":    fmt.Sprintf("numbered-%d- Hồ sơ của tỉnh %s", n, strings.Repeat("x", 200)),
				"host":       map[string]string{"name": "web1.example.vn"}})
		}
		sent, err := client.Send(window)
		from += sent
		if err != nil {
			fmt.Println("again from", from, err)
			client.Close()
			client = nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Println("done")
}
