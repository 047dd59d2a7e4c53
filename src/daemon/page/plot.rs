//! The plot of a feed's last 24 hours: what waited to be sent as an area, what was stuck as a line.

use plotters::prelude::*;
use plotters::style::RGBColor;

use super::history::{DAY, PIECE, Piece};

const SIZE: (u32, u32) = (240, 44);
/// Both are seen on a light and on a dark ground.
const WAITS: RGBColor = RGBColor(0x3b, 0x82, 0xc4);
const STUCK: RGBColor = RGBColor(0xd0, 0x52, 0x2f);

/// An SVG of its own size, without a text: what it says stands beside it in words. None if it cannot be drawn.
pub(super) fn plot(pieces: &[Piece], now: i64) -> Option<String> {
    let mut svg = String::new();
    draw(&mut svg, pieces, now).ok()?;
    // Its words stand in the element around it.
    Some(svg.replacen("<svg ", "<svg aria-hidden=\"true\" ", 1))
}

fn draw(svg: &mut String, pieces: &[Piece], now: i64) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let most = pieces.iter().map(|piece| piece.pending.max(piece.stuck)).max().unwrap_or_default().max(1) as f64;
    let mut chart = ChartBuilder::on(&root).margin(1).build_cartesian_2d(now - DAY..now, 0.0..most * 1.05)?;
    for run in pieces.chunk_by(|one, next| next.at - one.at <= 2 * PIECE) {
        let points = |of: fn(&Piece) -> u64| -> Vec<(i64, f64)> {
            let mut points: Vec<_> = run.iter().map(|piece| (piece.at.max(now - DAY), of(piece) as f64)).collect();
            // A piece lasts to its end, or to now.
            points.extend(run.last().map(|last| ((last.at + PIECE).min(now), of(last) as f64)));
            points
        };
        let waits = AreaSeries::new(points(|piece| piece.pending), 0.0, WAITS.mix(0.3));
        chart.draw_series(waits.border_style(WAITS.stroke_width(1)))?;
        if run.iter().any(|piece| piece.stuck > 0) {
            chart.draw_series(LineSeries::new(points(|piece| piece.stuck), STUCK.stroke_width(2)))?;
        }
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(of: impl Iterator<Item = i64>) -> Vec<Piece> {
        of.map(|at| Piece { at: at * PIECE, lag: 0, pending: 5, stuck: 2 }).collect()
    }

    #[test]
    fn a_plot_needs_no_style_of_its_own_and_no_text() {
        let svg = plot(&pieces(0..10), 10 * PIECE).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("polygon") && svg.contains("polyline"), "{svg}");
        assert!(!svg.contains("style") && !svg.contains("<text") && !svg.contains("script"), "{svg}");
    }

    #[test]
    fn a_time_without_a_daemon_is_a_gap() {
        let areas = |of: Vec<Piece>| plot(&of, 100 * PIECE).unwrap().matches("<polygon").count();
        assert_eq!((areas(pieces(0..50)), areas(pieces((0..20).chain(30..50)))), (1, 2));
        assert_eq!(areas(Vec::new()), 0);
    }
}
